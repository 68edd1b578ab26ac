import { describe, it } from '@jest/globals';
import { play } from '../support/scenario.js';

/** A is long 10 of X at 100 with 110: WARNING at 95, MARGIN_CALL at 94.5, LIQUIDATABLE at 93. */
const GIVEN = `
  fund F USDT 0
  provider LP USDT
  market X LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1
  price X 100
  trader A USDT 110
  trade X 10 at 100 A from LP
`;
const CALLED = `
  price X 94.5
  lap
  transitions
    | account | from    | to          | equity | maintenance |
    | A       | HEALTHY | MARGIN_CALL | 55     | 47.25       |
  calls      # 47.25 / 0.66 - 55, up
    | account | status | required             | deadline |
    | A       | OPEN   | 16.59090909090909091 | 21:10:00 |
`;

describe('a margin call', () => {
  it('is met by a deposit', () =>
    play(`
      ${GIVEN}
      ${CALLED}
      wait 10s
      deposit A 16.59
      lap            # WARNING already, but the ratio is still above 0.66
      transitions
        | account | from        | to      |
        | A       | MARGIN_CALL | WARNING |
      calls
        | account | status |
        | A       | OPEN   |
      deposit A 0.00090909090909091
      lap
      calls
        | account | status | lapsed |
        | A       | MET    | -      |
      accounts
        | account | equity               | positions | status  |
        | A       | 71.59090909090909091 | 10 X      | HEALTHY |
    `));

  it('is met by the price', () =>
    play(`
      ${GIVEN}
      ${CALLED}
      wait 10s
      price X 99
      lap
      calls
        | account | status | lapsed |
        | A       | MET    | -      |
      transitions
        | account | from        | to      |
        | A       | MARGIN_CALL | HEALTHY |
      liquidations
    `));

  it('lapses at its deadline, is advice only, and is released when the account is healthy again', () =>
    play(`
      ${GIVEN}
      ${CALLED}
      wait 599s
      price X 94.6
      lap
      calls
        | account | status |
        | A       | OPEN   |
      wait 1s
      price X 94.6
      depth X bids 100@94.6
      lap
      calls
        | account | status | on lapse    | lapsed   | released |
        | A       | LAPSED | REDUCE_ONLY | DEADLINE | no       |
      liquidations
      wait 1s
      lap            # and it is not called a second time while it stays where it is
      calls
        | account | status |
        | A       | LAPSED |
      wait 1s
      price X 99
      lap
      calls
        | account | status | released |
        | A       | LAPSED | yes      |
    `));

  it('waits longer when it is extended', () =>
    play(`
      ${GIVEN}
      ${CALLED}
      extend A 5m
      wait 10m
      price X 94.5
      lap
      calls
        | account | status | deadline |
        | A       | OPEN   | 21:15:00 |
      wait 5m
      price X 94.5
      lap
      calls
        | account | status | lapsed   |
        | A       | LAPSED | DEADLINE |
    `));

  it('lapses when the account becomes liquidatable', () =>
    play(`
      ${GIVEN}
      ${CALLED}
      wait 10s
      price X 93
      lap
      transitions
        | account | from        | to           | equity | maintenance |
        | A       | MARGIN_CALL | LIQUIDATABLE | 40     | 46.5        |
      calls
        | account | status | lapsed       |
        | A       | LAPSED | LIQUIDATABLE |
    `));

  it('that lapses under LIQUIDATE is reduced to the target', () =>
    play(`
      venue onCallLapse LIQUIDATE callDeadlineMs 60000
      ${GIVEN}
      price X 94.5
      lap
      calls
        | account | status | on lapse  | deadline |
        | A       | OPEN   | LIQUIDATE | 21:01:00 |
      wait 60s
      price X 94.5
      depth X bids 100@94.5
      lap
      liquidations   # (47.25 - 0.75 * 55) / (0.05 * 94.5 - 0.75 * 0.0025 * 94.5) = 1.3
        | account | reason      | kind    | stopped by | target | closed | value | pnl | fund   | equity after | maintenance after |
        | A       | CALL_LAPSED | PARTIAL | TARGET     | 2      | 2      | 189   | -11 | 0.4725 | 54.5275      | 37.8              |
      calls
        | account | status | lapsed   | released |
        | A       | LAPSED | DEADLINE | no       |
      transitions
        | account | from        | to      |
        | A       | MARGIN_CALL | WARNING |
      lap            # once
      liquidations
    `));

  it('is made anew for another stay', () =>
    play(`
      ${GIVEN}
      ${CALLED}
      wait 10s
      price X 99
      lap
      wait 10s
      price X 94.5
      lap
      calls
        | account | status | deadline |
        | A       | MET    | 21:10:00 |
        | A       | OPEN   | 21:10:20 |
    `));

  it('waits with an account that is held', () =>
    play(`
      ${GIVEN}
      ${CALLED}
      wait 11m
      lap
      accounts
        | account | status           |
        | A       | MARGIN_CALL held |
      calls
        | account | status |
        | A       | OPEN   |
      price X 99
      lap
      calls
        | account | status |
        | A       | MET    |
    `));
});
