import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isInputObjectType, isEnumType, isListType, isNonNullType, type GraphQLInputType } from 'graphql';
import { loadSchema } from '../../src/graphql/schema.js';
import { createAccount, createTrader } from '../../src/ingest/accounts.js';
import { recordTrades } from '../../src/ingest/trades.js';
import { bearer } from '../support/access.js';
import { fingerprintOf } from '../support/fingerprint.js';
import {
  fieldOf,
  fieldType,
  outcomeOf,
  ROLES,
  stated,
  types,
  type Outcome,
  type Owned,
  type Role,
} from './access-model.js';
import { actOn, aliceGoesBankrupt, changeBoth, startApi, type Answer, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return -- answers are JSON, walked by the names just asked for */

const schema = loadSchema();
const ALL: Role = {
  name: 'everything',
  scopes: ['read:account', 'read:risk', 'read:audit', 'write:feed', 'write:admin', 'approve:admin'],
};

const BOB: Owned = { owners: ['bob'] };
const ALICE: Owned = { owners: ['alice'] };
const VENUE: Owned = { owners: ['venue'] };
const FUND: Owned = { owners: ['venue'], isOfFund: true };
/** Of the event: the bankrupt and who was deleveraged. */
const PARTIES: Owned = { owners: ['alice', 'bob', 'carol', 'dora'] };

/** A way to one object of a type: fields from a root on, each with whose it returns. */
type Step = readonly [field: string, Owned?];
interface Way {
  readonly type: string;
  readonly steps: readonly Step[];
}

const way = (type: string, owned: Owned, ...fields: string[]): Way => ({
  type,
  steps: fields.map((field): Step => [field, owned]),
});
const ACCOUNT = 'account(externalId: "bob")';
const EVENT = 'deleverageEvent(id: "DeleverageEvent:1")';
const MARKET = 'market(symbol: "BTCUSDT")';
const PREVIEW = 'deleveragePreview(input: { marketSymbol: "BTCUSDT", side: SHORT, size: "4", price: "97" })';
const SIMULATION = 'marginSimulation(input: { accountExternalId: "bob", transfer: "1" })';
const RECONCILIATION = 'reconciliation(externalId: "s1")';
const QUEUE = 'adlQueue(side: SHORT)';

/** Of every type a way to it through a list or a field that others may try as well. */
const WAYS: readonly Way[] = [
  way('Account', BOB, ACCOUNT),
  way('AdlExemption', BOB, 'account(externalId: "bob-2")', 'adlExemption'),
  way('Trader', BOB, ACCOUNT, 'trader'),
  way('Asset', VENUE, 'assets'),
  way('Margin', BOB, ACCOUNT, 'margin'),
  way('Freshness', VENUE, MARKET, 'markPrice', 'freshness'),
  way('Balance', BOB, ACCOUNT, 'balances'),
  way('Position', BOB, ACCOUNT, 'positions'),
  way('AdlIndicator', BOB, ACCOUNT, 'positions', 'adl'),
  way('AdlScore', BOB, ACCOUNT, 'positions', 'adl', 'score'),
  way('AdlSuggestion', BOB, ACCOUNT, 'positions', 'adl', 'toLowerLevel'),
  way('Market', VENUE, MARKET),
  way('PriceQuote', VENUE, MARKET, 'markPrice'),
  way('OpenInterest', VENUE, MARKET, 'openInterest'),
  way('Bracket', VENUE, MARKET, 'brackets'),
  way('AdlPolicy', VENUE, MARKET, 'policy'),
  way('MarketAdl', VENUE, MARKET, 'adl(side: SHORT)'),
  way('TriggerReading', VENUE, MARKET, 'adl(side: SHORT)', 'trigger'),
  way('AdlQueueConnection', VENUE, MARKET, QUEUE),
  way('AdlQueueEdge', VENUE, MARKET, QUEUE, 'edges'),
  way('AdlQueueEntry', BOB, MARKET, QUEUE, 'edges', 'node'),
  way('InsuranceFund', VENUE, 'insuranceFunds'),
  way('FundAllowance', VENUE, 'insuranceFunds', 'allowance'),
  way('LedgerEntryConnection', BOB, ACCOUNT, 'ledger'),
  way('LedgerEntryEdge', BOB, ACCOUNT, 'ledger', 'edges'),
  way('LedgerEntry', BOB, ACCOUNT, 'ledger', 'edges', 'node'),
  way('LedgerEntry', FUND, MARKET, 'insuranceFund', 'ledger', 'edges', 'node'),
  way('PageInfo', BOB, ACCOUNT, 'ledger', 'pageInfo'),
  way('MarginCallConnection', BOB, 'marginCalls'),
  way('MarginCallEdge', BOB, 'marginCalls', 'edges'),
  way('MarginCall', BOB, 'account(externalId: "bob")', 'marginCalls', 'edges', 'node'),
  way('LiquidationConnection', ALICE, 'liquidations'),
  way('LiquidationEdge', ALICE, 'liquidations', 'edges'),
  way('Liquidation', ALICE, 'account(externalId: "alice")', 'liquidations', 'edges', 'node'),
  way('Liquidation', ALICE, EVENT, 'liquidation'),
  way('LiquidationFill', ALICE, 'account(externalId: "alice")', 'liquidations', 'edges', 'node', 'fills'),
  way('DeleverageEventConnection', PARTIES, 'deleverageEvents'),
  way('DeleverageEventEdge', PARTIES, 'deleverageEvents', 'edges'),
  way('DeleverageEvent', PARTIES, EVENT),
  // One: all that is asked of an event at once costs much.
  way('DeleverageEvent', PARTIES, ACCOUNT, 'deleverageLegs(first: 1)', 'edges', 'node', 'event'),
  way('DeleverageVerification', PARTIES, EVENT, 'verification'),
  way('DeleverageVerificationPart', PARTIES, EVENT, 'verification', 'parts'),
  way('FigureDifference', PARTIES, EVENT, 'verification', 'parts', 'firstDifference'),
  way('DeleverageLegConnection', BOB, ACCOUNT, 'deleverageLegs'),
  way('DeleverageLegEdge', BOB, ACCOUNT, 'deleverageLegs', 'edges'),
  way('DeleverageLeg', BOB, ACCOUNT, 'deleverageLegs', 'edges', 'node'),
  way('LaterMark', BOB, ACCOUNT, 'deleverageLegs', 'edges', 'node', 'markLater'),
  way('DeleverageSkip', BOB, EVENT, 'skips'),
  way('ForcedTradeConnection', BOB, 'forcedTrades'),
  way('ForcedTradeEdge', BOB, 'forcedTrades', 'edges'),
  way('ForcedTrade', BOB, MARKET, 'forcedTrades', 'edges', 'node'),
  way('Job', VENUE, 'jobs'),
  way('JobRunConnection', VENUE, 'jobs', 'runs'),
  way('JobRunEdge', VENUE, 'jobRuns', 'edges'),
  way('JobRun', VENUE, 'jobRuns', 'edges', 'node'),
  way('JobCount', VENUE, 'jobRuns', 'edges', 'node', 'counts'),
  way('SystemStatus', VENUE, 'systemStatus'),
  way('Lap', VENUE, 'systemStatus', 'lastLap'),
  way('MarginStatusCount', VENUE, 'systemStatus', 'accounts'),
  way('SelfCheck', VENUE, 'systemStatus', 'selfCheck'),
  way('DeleveragePreview', VENUE, PREVIEW),
  way('DeleveragePreviewLeg', BOB, PREVIEW, 'legs'),
  way('DeleveragePreviewSkip', BOB, PREVIEW, 'skips'),
  way('MarginSimulation', BOB, SIMULATION),
  way('SimulatedPortfolio', BOB, SIMULATION, 'after'),
  way('SimulatedPosition', BOB, SIMULATION, 'after', 'positions'),
  way('SimulatedAdl', BOB, SIMULATION, 'before', 'positions', 'adl'),
  way('AccountConnection', BOB, 'accounts'),
  way('AccountEdge', BOB, 'accounts', 'edges'),
  way('AuditEntryConnection', VENUE, 'auditLog'),
  way('AuditEntryEdge', VENUE, 'auditLog', 'edges'),
  way('AuditEntry', VENUE, 'auditLog', 'edges', 'node'),
  way('ChangeConnection', VENUE, 'changes'),
  way('ChangeEdge', VENUE, 'changes', 'edges'),
  way('Change', VENUE, 'changes', 'edges', 'node'),
  way('ChangeImpact', VENUE, 'changes', 'edges', 'node', 'impact'),
  way('ChangeStatusImpact', VENUE, 'changes', 'edges', 'node', 'impact', 'statuses'),
  way('Trade', VENUE, 'trade(externalId: "of-yan")'),
  way('ReconciliationConnection', VENUE, 'reconciliations'),
  way('ReconciliationEdge', VENUE, 'reconciliations', 'edges'),
  way('Reconciliation', VENUE, RECONCILIATION),
  way('ReconciliationDifferenceConnection', VENUE, RECONCILIATION, 'differences'),
  way('ReconciliationDifferenceEdge', VENUE, RECONCILIATION, 'differences', 'edges'),
  way('ReconciliationDifference', VENUE, RECONCILIATION, 'differences', 'edges', 'node'),
  way('ReconciliationFact', VENUE, RECONCILIATION, 'differences', 'edges', 'node', 'lastFacts'),
  way('ChangeQueueImpact', VENUE, 'changes', 'edges', 'node', 'impact', 'queues'),
  way('ChainVerification', VENUE, 'chainVerification(chain: AUDIT_LOG)'),
  way('PositionConnection', BOB, 'positions'),
  way('PositionEdge', BOB, 'positions', 'edges'),
];

/** Whose it is that a field returns, where it is not the owner of the object that has the field. */
const TARGETS: Readonly<Record<string, Owned>> = {
  'DeleverageEvent.account': ALICE,
  'DeleverageEvent.liquidation': ALICE,
  // The first forced trade is alice's liquidation.
  'ForcedTrade.account': ALICE,
  'ForcedTrade.counterparty': VENUE,
  'ForcedTrade.liquidation': ALICE,
  'DeleverageLeg.event': PARTIES,
};

/** Arguments that a field must have. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  'Market.adl': '(side: SHORT)',
  'Market.adlQueue': '(side: SHORT)',
  'Query.market': '(symbol: "BTCUSDT")',
  'Query.reconciliation': '(externalId: "s1")',
  'Query.trade': '(externalId: "of-yan")',
  'Query.chainVerification': '(chain: AUDIT_LOG)',
  'Query.account': '(externalId: "bob")',
  'Query.marginSimulation': '(input: { accountExternalId: "bob", transfer: "1" })',
  'Query.deleverageEvent': '(id: "DeleverageEvent:1")',
  'Query.deleveragePreview': '(input: { marketSymbol: "BTCUSDT", side: SHORT, size: "4", price: "97" })',
};
/** Lists that this story leaves empty, so that there is nothing in them to ask for. */
const EMPTY = ['DeleverageSkip', 'DeleveragePreviewSkip', 'FigureDifference'];
/** Asked for by tests of their own. */
const APART = ['Query', 'Mutation', 'Subscription', 'Viewer'];

const nameOf = (step: string): string => /^\w+/.exec(step)?.[0] ?? '';
const fieldNames = (type: string): string[] => (types.get(type)?.fields ?? []).map(({ name }) => name.value);

function selectionOf(type: string, name: string): string {
  const returned = fieldType(fieldOf(type, name)).name;
  const isObject = types.has(returned) || returned === 'Node';
  return `${name}${ARGUMENTS[`${type}.${name}`] ?? ''}${isObject ? ' { __typename }' : ''}`;
}

function queryOf({ steps }: Way, selection: string): string {
  return `{ ${steps.map(([field]) => `${field} { `).join('')}${selection}${' }'.repeat(steps.length)} }`;
}

/** What should come of asking for `name` at the end of the way. */
function expected({ type, steps }: Way, name: string, role: Role): Outcome {
  let at = 'Query';
  let source = VENUE;
  for (const [step, owned = VENUE] of steps) {
    const outcome = outcomeOf(at, nameOf(step), role, source, TARGETS[`${at}.${nameOf(step)}`] ?? owned);
    if (outcome !== 'ANSWER') return outcome;
    at = fieldType(fieldOf(at, nameOf(step))).name;
    source = owned;
  }
  if (at !== (steps.length === 0 ? 'Query' : type)) throw new Error(`the way to ${type} ends at ${at}`);
  return outcomeOf(at, name, role, source, TARGETS[`${at}.${name}`] ?? source);
}

/** The first of each list. Undefined: there is none. */
function valueAt(data: any, names: readonly string[]): unknown {
  let at = data;
  for (const name of names) {
    if (at === null || at === undefined) return undefined;
    at = at[name];
    if (Array.isArray(at)) at = at[0];
  }
  return at ?? undefined;
}

describe('who may do what', () => {
  let api: TestApi;
  const tokens = new Map<Role, string | null>();
  beforeAll(async () => {
    api = await startApi();
    await aliceGoesBankrupt(api);
    await actOn(api, 'traderUpsert', { externalId: 'zoe' }, 'trader { id }');
    const zoe = { externalId: 'zoe', traderId: 'zoe', marginAssetSymbol: 'USDT' };
    await actOn(api, 'accountCreate', zoe, 'account { id }');
    const second = { ...zoe, externalId: 'bob-2', traderId: 'bob' };
    await actOn(api, 'accountCreate', second, 'account { id }');
    await changeBoth(api, 'exemptionGrant', { accountId: 'bob-2', reason: 'a test' });
    // Somebody before bob in the queue, so that he can do something for a lower level.
    await createTrader(api.sql, { id: 'yan' });
    await createAccount(api.sql, { id: 'yan', traderId: 'yan', mode: 'CROSS', marginAssetId: 'USDT' });
    const sold = { id: 'of-yan', marketId: 'BTCUSDT', buyerId: 'lp-usdt', sellerId: 'yan', size: '4', price: '110' };
    await recordTrades(api.sql, [{ ...sold, at: new Date().toISOString() }]);
    await actOn(api, 'policyChange', { marketSymbol: 'BTCUSDT', policy: {}, reason: 'a test' }, 'change { id }');
    const snapshot = { id: 's1', asOf: new Date().toISOString(), chunk: 1, positions: [], balances: [] };
    await actOn(api, 'reconciliationRowsAdd', snapshot, 'reconciliation { id }');
    await actOn(api, 'reconciliationFinish', { id: 's1', chunks: 1, rows: 0 }, 'reconciliation { id }');
    await actOn(api, 'exemptionGrant', { accountId: 'bob', reason: 'a test' }, 'change { id }');
    await api.sql`
      insert into margin_call (account_id, lap_id, transition_id, amount_required, equity, maintenance, called_at, deadline, latest_deadline, on_lapse)
      select 'bob', lap_id, id, 1, 1, 1, now(), now() + interval '1 hour', now() + interval '1 hour', 'REDUCE_ONLY'
      from margin_status_transition order by id limit 1`;
    await api.book.refresh();
    for (const role of [...ROLES, ALL]) {
      const { scopes, trader: traderId } = role;
      tokens.set(role, scopes === null ? null : await bearer({ scopes, traderId }));
    }
  });
  afterAll(() => api.stop());

  const askAs = (role: Role, query: string, variables = {}): Promise<Answer> =>
    api.ask(query, variables, tokens.get(role));
  const outcome = ({ data, errors }: Answer, value: unknown): Outcome =>
    errors?.[0].extensions.code === 'FORBIDDEN' && data == null
      ? 'FORBIDDEN'
      : errors !== undefined
        ? errors[0].extensions.code
        : value === undefined
          ? 'NULL'
          : 'ANSWER';

  it('is stated once for every field of every type, by the field or by its type', () => {
    const rules = [...types.values()].flatMap((type) =>
      (type.fields ?? []).map((field) => ({
        place: `${type.name.value}.${field.name.value}`,
        byField: stated(field).length,
        byType: stated(type).length,
      })),
    );
    expect(rules.length).toBeGreaterThan(400);
    expect(rules.filter(({ byField, byType }) => byField > 1 || byType > 1 || byField + byType === 0)).toEqual([]);
    for (const type of types.values()) {
      if (type.interfaces?.length === 0) continue;
      expect([type.name.value, stated(type).flat()]).not.toEqual([type.name.value, ['AS_PARENT']]);
    }
  });

  it('is tried for every type', () => {
    const payloads = fieldNames('Mutation').map((name) => fieldType(fieldOf('Mutation', name)).name);
    const tried = new Set([...WAYS.map(({ type }) => type), ...EMPTY, ...APART, ...payloads, 'UserError']);
    expect([...types.keys()].filter((type) => !tried.has(type))).toEqual([]);
  });

  it.each(WAYS.map((one) => [`${one.type} by ${one.steps.map(([step]) => nameOf(step)).join('.')}`, one] as const))(
    'is kept: %s',
    async (_name, one) => {
      const names = one.steps.map(([step]) => nameOf(step));
      const fields = fieldNames(one.type);
      const query = (some: readonly string[]): string =>
        queryOf(one, some.map((name) => selectionOf(one.type, name)).join(' '));
      const whole = await askAs(ALL, query(fields));
      expect(whole.errors).toBeUndefined();
      expect(valueAt(whole.data, names) === undefined).toBe(EMPTY.includes(one.type));
      const isThere = (name: string): boolean => valueAt(whole.data, [...names, name]) !== undefined;
      for (const role of ROLES) {
        const due = fields.map((name) => {
          const wanted = expected(one, name, role);
          return [name, wanted === 'ANSWER' && !isThere(name) ? 'NULL' : wanted] as const;
        });
        const refused = due.filter(([, wanted]) => wanted === 'FORBIDDEN').map(([name]) => name);
        // What is answered is asked for at once; what is refused would take the rest of the answer along.
        const answered = fields.filter((name) => !refused.includes(name));
        const answer = answered.length === 0 ? undefined : await askAs(role, query(answered));
        const got = new Map(
          answered.map((name) => [name, answer && outcome(answer, valueAt(answer.data, [...names, name]))]),
        );
        // All of them refused: the way is.
        for (const name of answered.length === 0 ? refused.slice(0, 1) : refused) {
          got.set(name, outcome(await askAs(role, query([name])), undefined));
        }
        expect([role.name, Object.fromEntries(got)]).toEqual([
          role.name,
          Object.fromEntries(due.filter(([name]) => got.has(name))),
        ]);
      }
    },
    60_000,
  );

  it('is kept by every query', async () => {
    const root: Way = { type: 'Query', steps: [] };
    for (const name of fieldNames('Query').filter((one) => one !== 'node' && one !== 'viewer')) {
      for (const role of ROLES) {
        const answer = await askAs(role, queryOf(root, selectionOf('Query', name)));
        const target = ['account', 'marginSimulation'].includes(name) ? BOB : VENUE;
        const got = outcome(answer, valueAt(answer.data, [name]));
        expect([role.name, name, got]).toEqual([role.name, name, outcomeOf('Query', name, role, VENUE, target)]);
      }
    }
  });

  it('is little without a token', async () => {
    const answered: string[] = [];
    for (const name of fieldNames('Query').filter((one) => one !== 'node')) {
      const answer = await api.ask(`{ ${selectionOf('Query', name)} }`, {}, null);
      if (outcome(answer, valueAt(answer.data, [name])) === 'ANSWER') answered.push(name);
    }
    expect(answered.sort()).toEqual(
      ['assets', 'deleverageEvent', 'deleverageEvents', 'forcedTrades', 'insuranceFunds', 'market', 'markets'].sort(),
    );
  });

  it('is not everything of what is public: these need more', () => {
    const more = [...types.values()].flatMap((type) =>
      ['Query', 'Mutation', 'Subscription'].includes(type.name.value)
        ? []
        : (type.fields ?? []).flatMap((field) =>
            stated(field).map((rules) => `${type.name.value}.${field.name.value} ${rules.join(' ')}`),
          ),
    );
    const ofQueue = ['account', 'position', 'size', 'sizeAhead', 'percentile', 'score'];
    const ofParties = `trigger clamped bankruptcyValue bankruptcyPrice deficit fundBalanceBefore fundAllowanceBefore
      fundAvailableBefore fundPaid bestPrice depthSize`.split(/\s+/);
    const ofBankrupt = ['equityBefore', 'realizedPnl', 'legs', 'skips', 'explanation'];
    expect(more.sort()).toEqual(
      [
        'Market.liquidityProvider READ_RISK',
        'Market.liquidations READ_RISK',
        'InsuranceFund.account READ_RISK',
        'AdlExemption.reason READ_RISK',
        'AdlPolicy.changedBy READ_AUDIT',
        'AdlPolicy.reason READ_AUDIT',
        ...ofQueue.map((name) => `AdlQueueEntry.${name} READ_RISK`),
        ...ofParties.map((name) => `DeleverageEvent.${name} OWN`),
        ...ofBankrupt.map((name) => `DeleverageEvent.${name} READ_RISK`),
        'DeleverageEvent.verification READ_AUDIT',
      ].sort(),
    );
    const publicTypes = [...types.values()].filter((type) => stated(type).flat().includes('PUBLIC'));
    expect(publicTypes.map(({ name }) => name.value).sort()).toEqual(
      ['Asset', 'DeleverageEvent', 'ForcedTrade', 'InsuranceFund', 'Market'].sort(),
    );
  });

  it('is nothing but reading for whoever may not write, and nothing changes', async () => {
    const before = await fingerprintOf(api.sql);
    for (const name of fieldNames('Mutation')) {
      for (const role of ROLES) {
        if (outcomeOf('Mutation', name, role, VENUE, VENUE) === 'ANSWER') continue;
        const { data, errors } = await askAs(role, mutationOf(name), { input: inputOf(name) });
        expect([role.name, name, data ?? null, errors[0].extensions.code]).toEqual([
          role.name,
          name,
          null,
          'FORBIDDEN',
        ]);
      }
    }
    expect(await fingerprintOf(api.sql)).toBe(before);
  });

  it('lets each write what its scope is for', async () => {
    for (const name of fieldNames('Mutation')) {
      const writers = ROLES.filter((role) => outcomeOf('Mutation', name, role, VENUE, VENUE) === 'ANSWER');
      expect([name, writers.map((role) => role.name)]).toEqual([name, [writerOf(name)]]);
      for (const role of writers) {
        const { data, errors } = await askAs(role, mutationOf(name), { input: inputOf(name) });
        expect([name, errors, typeof data[name]]).toEqual([name, undefined, 'object']);
      }
    }
  });

  const writerOf = (name: string): string =>
    name === 'changeDecide' ? 'approver' : /Record$|^reconciliation/.test(name) ? 'feed' : 'admin';

  function mutationOf(name: string): string {
    const { name: payload } = fieldType(fieldOf('Mutation', name));
    const inside = fieldNames(payload).map((field) => selectionOf(payload, field));
    const type = schema.getMutationType()?.getFields()[name]?.args[0]?.type;
    return `mutation($input: ${String(type)}) { ${name}(input: $input) { ${inside.join(' ')} } }`;
  }

  function inputOf(name: string): unknown {
    return anyOf(schema.getMutationType()?.getFields()[name]?.args[0]?.type);
  }
});

/** A value that the contract takes, and that says nothing sensible. */
function anyOf(type: GraphQLInputType | undefined): unknown {
  if (type === undefined) throw new Error('no input');
  if (isNonNullType(type)) return anyOf(type.ofType);
  if (isListType(type)) return [anyOf(type.ofType)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (isInputObjectType(type)) {
    const needed = Object.values(type.getFields()).filter((field) => isNonNullType(field.type));
    return Object.fromEntries(needed.map((field) => [field.name, anyOf(field.type)]));
  }
  const values: Readonly<Record<string, unknown>> = { Decimal: '1', DateTime: '2025-10-10T21:03:00Z', Int: 1 };
  return values[type.name] ?? 'x';
}
