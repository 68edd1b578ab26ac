import { lockMarkets } from './locks.js';
import type { Reader, Tx } from './connect.js';
import { insertRequestKey, type RequestKey } from './request-keys.js';

/** Who asks for something: the one value that says so wherever it is recorded. */
export interface Actor {
  readonly subject: string;
  /** What entitles the actor. */
  readonly scopes: readonly string[];
  /** Of the request, so that its traces can be found together. */
  readonly requestId: string;
  /** What its sender calls the one thing that is asked for. */
  readonly key?: RequestKey | undefined;
}

/** What is acted on: of a price its market and its own id, as `BTCUSDT/p1`. */
export interface AuditTarget {
  readonly type:
    'Account' | 'Asset' | 'Change' | 'InsuranceFund' | 'Job' | 'MarginCall' | 'Market' | 'Price' | 'Trader';
  readonly id: string;
}

export interface AdminAction {
  readonly actor: Actor;
  /** The mutation or the command. */
  readonly name: string;
  /** Null: the venue as a whole. */
  readonly target: AuditTarget | null;
  /** As it was given. */
  readonly input: unknown;
  readonly reason: string | null;
}

export type AuditOutcome =
  /** JSON texts. */
  | { readonly before: string | null; readonly after: string | null }
  | { readonly code: string; readonly message: string };

/** An index takes no longer texts, and nothing lawful is longer. */
const LONGEST_NAME = 200;

/** With the key of an accepted request, if it has one: whatever is done is known by it from the same commit on. */
export async function insertAuditEntry(tx: Tx, action: AdminAction, outcome: AuditOutcome): Promise<void> {
  const { actor, name, target, input, reason } = action;
  const isRefused = 'code' in outcome;
  const { before, after } = isRefused ? { before: null, after: null } : outcome;
  const { code, message } = isRefused ? outcome : { code: null, message: null };
  const asked = actor.key === undefined ? input : { ...(input as object), idempotencyKey: actor.key.key };
  const caller = nameOf(actor.subject);
  const [entry] = await tx<{ id: string }[]>`
    insert into audit_entry
      (actor, scopes, action, target_type, target_id, input, before, after, reason, request_id, outcome, code, message)
    values (${caller}, ${actor.scopes.map(nameOf)}::text[], ${nameOf(name)}, ${target?.type ?? null},
      ${target === null ? null : nameOf(target.id)}, ${toJson(asked)}::text::jsonb, ${before}::text::jsonb, ${after}::text::jsonb,
      ${reason === null ? null : storable(reason)}, ${nameOf(actor.requestId)}, ${isRefused ? 'REFUSED' : 'ACCEPTED'}, ${code},
      ${message === null ? null : storable(message)})
    returning id`;
  if (entry === undefined) throw new Error('no entry was written');
  if (!isRefused && actor.key !== undefined) await insertRequestKey(tx, caller, actor.key, entry.id);
}

/** JSON that the database takes: what was refused may hold anything. */
export function toJson(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, part: unknown) => (typeof part === 'string' ? storable(part) : part));
}

/** Without the zero character and halves of characters, which PostgreSQL has no place for. */
export function storable(text: string): string {
  return text.replace(/[\0\ud800-\udfff]/gu, '\ufffd');
}

export function nameOf(text: string): string {
  return storable(text.slice(0, LONGEST_NAME));
}

/** The target as it is now, as JSON; it stays so until the transaction ends. Null: it is not there. */
export async function lockTarget(tx: Tx, target: AuditTarget): Promise<string | null> {
  const { type, id } = target;
  // In the order of locks.ts: nothing else is locked yet, and the work begins with the same row.
  if (type === 'Market') await lockMarkets(tx, [id], 'CHANGE');
  else if (type === 'Price') await lockMarkets(tx, [marketOf(id)], 'CHANGE');
  else if (type === 'MarginCall') await tx`select from margin_call where id = ${id}::bigint for no key update`;
  else if (type === 'Account' || type === 'InsuranceFund')
    await tx`select from account where id = ${id} for no key update`;
  else if (type === 'Change') await tx`select from change where id = ${id}::bigint for no key update`;
  else if (type === 'Job') await tx`select from job where id = ${id} for no key update`;
  else if (type === 'Trader') await tx`select from trader where id = ${id} for no key update`;
  return readTarget(tx, target);
}

/** Numbers as decimal texts, as everywhere at the borders. */
export async function readTarget(reader: Reader, target: AuditTarget): Promise<string | null> {
  const [row] = await reader<{ state: string }[]>`
    select (
      select jsonb_object_agg(e.key, case jsonb_typeof(e.value)
        when 'number' then to_jsonb(trim_scale((e.value #>> '{}')::numeric)::text) else e.value end)
      from jsonb_each(to_jsonb(t)) e)::text as state
    from (${stateOf(reader, target)}) t`;
  return row?.state ?? null;
}

function stateOf(reader: Reader, { type, id }: AuditTarget): ReturnType<Reader> {
  switch (type) {
    case 'Account':
      return reader`
        select a.id, a.trader_id, a.kind, a.mode, a.margin_asset_id, a.exempt, (
          select jsonb_build_object('version', e.version::text, 'until', e.until, 'reason', e.reason, 'changed_by', e.changed_by)
          from exemption_status e where e.account_id = a.id and e.ended_at is null) as exemption
        from account a where a.id = ${id}`;
    case 'Asset':
      return reader`select id from asset where id = ${id}`;
    case 'Change':
      return reader`select * from change_status where id = ${id}::bigint`;
    case 'InsuranceFund':
      return reader`
        select f.*, coalesce((select b.amount from balance b where b.account_id = f.account_id and b.asset_id = f.asset_id), 0) as balance
        from insurance_fund f where f.account_id = ${id}`;
    case 'Job':
      return reader`select * from job where id = ${id}`;
    case 'MarginCall':
      return reader`select * from margin_call where id = ${id}::bigint`;
    case 'Market':
      return reader`
        select m.*, to_jsonb(p.*) - 'market_id' as policy, (
          select jsonb_agg(jsonb_build_object('version', b.version::text, 'floor', trim_scale(b.floor)::text,
            'maintenance_rate', trim_scale(b.maintenance_rate)::text, 'initial_rate', trim_scale(b.initial_rate)::text) order by b.floor)
          from current_bracket b where b.market_id = m.id) as brackets
        from market m left join current_policy p on p.market_id = m.id where m.id = ${id}`;
    case 'Price': {
      const marketId = marketOf(id);
      return reader`select * from price_mark where market_id = ${marketId} and external_id = ${id.slice(marketId.length + 1)}`;
    }
    case 'Trader':
      return reader`select id, verification_level from trader where id = ${id}`;
  }
}

/** No id of an exchange holds a slash. */
function marketOf(priceId: string): string {
  return priceId.split('/', 1)[0] ?? '';
}
