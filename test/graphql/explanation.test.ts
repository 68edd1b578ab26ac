import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { explain } from '../../src/explanation/explain.js';
import { aliceGoesBankrupt, startApi, type TestApi } from './api.js';

/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-argument -- answers are JSON, read by the names just asked for */

describe('the explanation', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
    await aliceGoesBankrupt(api);
  });
  afterAll(() => api.stop());

  it('explains a leg, every number from its stored rows', async () => {
    const ask = async (): Promise<string[]> => {
      const { account } = await api.read(
        '{ account(externalId: "dora") { deleverageLegs { edges { node { explanation } } } } }',
      );
      return account.deleverageLegs.edges[0].node.explanation
        .replaceAll(/\d{4}-\d\d-\d\d \S+ UTC/g, 'THEN')
        .split('\n');
    };
    const told = await ask();
    expect(told).toEqual([
      'ADL event 1 in BTCUSDT, THEN: the position of alice (9 contracts long) had to be closed, because the account was bankrupt: equity -8.74625 USDT, against a maintenance of 8.73.',
      'Trigger FUND_EXHAUSTED: at the mark 97 the position was worth 873 USDT, 8.74625 short of its bankruptcy value 881.74625; the insurance fund fund-usdt held 2.24625, might pay 2.24625, and paid 2.24625.',
      'Tried before: a full liquidation (BANKRUPT) of 10 contracts saw a best bid of 98.5, 1 contract of depth; it closed 1 in 1 fill for 98.5 USDT, of which the fund earned 0.24625; it ended where the recorded depth ended.',
      "Price, basis BANKRUPTCY: (bankruptcy value 881.74625 − fund's 2.24625) ÷ (9 contracts × 1) = 97.722222222222222222, 879.5 USDT for the whole position.",
      'Rank: dora was 1 of 3 shorts, with 0 contracts ahead; score LEVERAGED_RETURN 0.223846153846153846 = profit ratio 0.03 × leverage 7.461538461538461538.',
      'Shown before: level 2 of 5, published THEN.',
      'Closed: 3 of its 3 contracts short, at the price 97.722222222222222222, worth -293.166666666666666667 USDT against -291 at the mark: 2.166666666666666667 USDT conceded; realized PnL 6.833333333333333333, 0 contracts left; equity from 39 to 36.833333333333333333.',
    ]);
    await tamper(`update deleverage_event set fund_balance_before = 777 where id = 1`);
    expect((await ask())[1]).toContain('the insurance fund fund-usdt held 777,');
    await tamper(`update deleverage_leg set profit_ratio = 0.55 where id = 1`);
    expect((await ask())[4]).toContain('= profit ratio 0.55 ×');
    await tamper(`update liquidation set stopped_by = 'FUND', fund_delta = -0.5 where id = 1`);
    expect((await ask())[2]).toContain('of which the fund paid 0.5; it ended where the next lot was worse');
    await tamper(`update deleverage_event set fund_balance_before = 2.24625 where id = 1;
      update deleverage_leg set profit_ratio = 0.03 where id = 1;
      update liquidation set stopped_by = 'DEPTH', fund_delta = 0.24625 where id = 1`);
    expect(await ask()).toEqual(told);
  });

  /** As a superuser who switches the guards off. */
  async function tamper(statements: string): Promise<void> {
    await api.sql.begin(async (tx) => {
      await tx`set local session_replication_role = replica`;
      await tx.unsafe(statements);
    });
  }

  it('explains the event and the accounts in it', async () => {
    const { deleverageEvent, alice, bob } = await api.read(`{ deleverageEvent(id: "DeleverageEvent:1") { explanation }
      alice: account(externalId: "alice") { explanation } bob: account(externalId: "bob") { explanation } }`);
    expect(deleverageEvent.explanation.split('\n').slice(4)).toEqual([
      'Outcome, policy version 1 (LEVERAGED_RETURN, QUEUE): 9 contracts at the price and 0 at the mark, in 3 legs that conceded 6.5 USDT in all; the bankrupt realized -20.5.',
      '1. dora (rank 1): 3 of 3 contracts at the price 97.722222222222222222, concession 2.166666666666666667 USDT',
      '2. carol (rank 2): 4 of 4 contracts at the price 97.722222222222222222, concession 2.888888888888888889 USDT',
      '3. bob (rank 3): 2 of 6 contracts at the price 97.722222222222222222, concession 1.444444444444444444 USDT',
    ]);
    const linesOf = (text: string): string[] => text.replaceAll(/\d{4}-\d\d-\d\d \S+ UTC/g, 'THEN').split('\n');
    expect(linesOf(alice.explanation)).toEqual([
      'Account alice of alice, TRADER CROSS: balance 0 USDT and no open position.',
      'Now: HEALTHY; equity 0 USDT, maintenance 0.',
      'Status, THEN: from BANKRUPT to HEALTHY; equity 0 USDT, maintenance 0.',
      'Status, THEN: from HEALTHY to BANKRUPT; equity -10 USDT, maintenance 9.7.',
      'Liquidation (BANKRUPT, FULL), THEN: in BTCUSDT 1 of 10 contracts long, target 10, for 98.5 USDT at a mark of 97; the fund earned 0.24625; stopped by DEPTH; equity from -10 to -8.74625.',
      'Deleveraged against others: it was the bankrupt of ADL event 1 in BTCUSDT, THEN.',
    ]);
    expect(linesOf(bob.explanation)).toEqual([
      'Account bob of bob, TRADER CROSS: balance 104.555555555555555556 USDT.',
      'Now: HEALTHY; equity 116.555555555555555556 USDT, maintenance 3.88, margin ratio 0.03328884652049571.',
      'Position: 4 contracts short in BTCUSDT, cost -400 USDT; level 5 of 5 in the ADL queue since THEN, then rank 1.',
      'Counterparty in ADL event 1 in BTCUSDT, THEN, leg 3. bob (rank 3): 2 of 6 contracts at the price 97.722222222222222222, concession 1.444444444444444444 USDT.',
    ]);
  });

  it('is the same on the command line', async () => {
    const { deleverageEvent, account } = await api.read(`{ deleverageEvent(id: "DeleverageEvent:1") { explanation }
      account(externalId: "bob") { explanation } }`);
    expect(await explain(api.sql, '1')).toBe(deleverageEvent.explanation);
    expect(await explain(api.sql, 'bob')).toBe(account.explanation);
    await expect(explain(api.sql, 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(explain(api.sql, '77')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
