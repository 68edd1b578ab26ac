import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sealChains, verifyChain } from '../../src/db/chains.js';
import { verifyStoredEvent } from '../../src/verify-event.js';
import { bearer } from '../support/access.js';
import { connectTo, listen } from '../support/live.js';
import { aliceGoesBankrupt, startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call -- answers are JSON, read by the names just asked for */

const VERIFICATION = `verification { isWhole parts {
  part figures differing storedDigest recomputedDigest firstDifference { name stored recomputed } } }`;
const EVENT = `{ deleverageEvent(id: "DeleverageEvent:1") { ${VERIFICATION} } }`;

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await aliceGoesBankrupt(api);
});
afterAll(() => api.stop());

/** Past every guard, as somebody who owns the database can. */
async function alter(...statements: readonly string[]): Promise<void> {
  await api.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    for (const statement of statements) await tx.unsafe(statement);
  });
}

describe('the verification of an ADL event', () => {
  it('is that of the command line: whole, with the digests of each part', async () => {
    const auditor = await bearer({ scopes: ['read:audit'] });
    const { data, errors } = await api.ask(EVENT, {}, auditor);
    expect(errors).toBeUndefined();
    const parts = await verifyStoredEvent(api.sql, '1');
    expect(data.deleverageEvent.verification).toEqual({
      isWhole: true,
      parts: parts.map(({ part, figures, storedDigest }) => ({
        ...{ part, figures, differing: 0, firstDifference: null },
        ...{ storedDigest, recomputedDigest: storedDigest },
      })),
    });
    expect(parts.map(({ part }) => part)).toEqual(['RANKING', 'PRICE', 'LEGS', 'SKIPS']);
  });

  it('names the first figure that differs, and how many do', async () => {
    await alter(
      'create table kept as select * from deleverage_leg',
      'update deleverage_leg set score = score + 1, size_ahead = size_ahead + 1 where ordinal = 2',
    );
    const { verification } = (await api.read(EVENT)).deleverageEvent;
    const differing = verification.parts.filter((part: any) => part.differing > 0);
    const [leg] = await api.sql<{ size_ahead: string }[]>`
      select trim_scale(size_ahead) as size_ahead from kept where ordinal = 2`;
    expect([verification.isWhole, differing]).toMatchObject([
      false,
      [
        {
          ...{ part: 'LEGS', differing: 2 },
          firstDifference: {
            name: 'leg 2 size_ahead',
            stored: String(Number(leg?.size_ahead) + 1),
            recomputed: leg?.size_ahead,
          },
        },
      ],
    ]);
    expect(differing[0].storedDigest).not.toBe(differing[0].recomputedDigest);
    await alter(
      'delete from deleverage_leg',
      'insert into deleverage_leg overriding system value select * from kept',
      'drop table kept',
    );
    expect((await api.read(EVENT)).deleverageEvent.verification.isWhole).toBe(true);
  });

  it.each([
    ['a page of two', `{ deleverageEvents(first: 2) { edges { node { ${VERIFICATION} } } } }`],
    [
      'two events',
      EVENT.replace('{ ', '{ a: deleverageEvent(id: "DeleverageEvent:2") { id verification { isWhole } } '),
    ],
  ])('is one a request: %s is too costly', async (_what, query) => {
    const { status, errors } = await api.ask(query);
    expect([status, errors[0].extensions.code]).toEqual([400, 'QUERY_TOO_COSTLY']);
  });

  it('is one a request: a page of one is answered, and no stream', async () => {
    const { deleverageEvents } = await api.read(
      `{ deleverageEvents(first: 1) { edges { node { ${VERIFICATION} } } } }`,
    );
    expect(deleverageEvents.edges[0].node.verification.isWhole).toBe(true);
    const client = connectTo(await api.server.listen({ host: '127.0.0.1', port: 0 }), await bearer());
    const stream = listen(client, `subscription { deleverageEvents { node { ${VERIFICATION} } } }`);
    expect(await stream.ended).toMatchObject([{ extensions: { code: 'QUERY_TOO_COSTLY' } }]);
    await client.dispose();
  });

  it('is for the command line where the market was held by very many', async () => {
    await alter(
      `insert into account (id, trader_id, kind, mode, margin_asset_id)
       select 'x' || n, 'bob', 'TRADER', 'CROSS', 'USDT' from generate_series(1, 5000) n`,
      `insert into position_change (account_id, market_id, cause, cause_id, size_change, cost_change, realized_pnl, size_after, cost_after, at)
       select 'x' || n, 'BTCUSDT', 'TRADE', 1, 1, 1, 0, 1, 1, now() from generate_series(1, 5000) n`,
    );
    const { errors } = await api.ask(EVENT);
    expect(errors[0].extensions).toEqual({ code: 'QUERY_TOO_COSTLY', limit: 5000 });
    expect(errors[0].message).toContain('backstop explain 1 --verify');
  });
});

describe('the verification of a chain', () => {
  it('that takes longer than a request may is answered with TIMEOUT, and is for the command line', async () => {
    const short = await startApi({ limits: { requestTimeoutMs: 50 } });
    await short.sql`
      insert into audit_entry (actor, scopes, action, input, request_id, outcome)
      select 'x', '{}', 'x', '{}', 'x', 'ACCEPTED' from generate_series(1, 5000)`;
    await sealChains(short.sql);
    const { data, errors } = await short.ask('{ chainVerification(chain: AUDIT_LOG) { isWhole } }');
    expect([data ?? null, errors[0].extensions.code]).toEqual([null, 'TIMEOUT']);
    expect(short.logged.filter((line) => line.includes('fault'))).toEqual([]);
    expect(await verifyChain(short.sql, 'AUDIT_LOG')).toMatchObject({ links: '5000', reason: null });
    await short.stop();
  });
});
