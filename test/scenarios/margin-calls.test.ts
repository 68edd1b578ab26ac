import { describe, it } from '@jest/globals';
import { play } from '../support/scenario.js';

const VENUE = `
  fund F USDT 0
  provider LP USDT
  market X LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1
  price X 100
`;

describe('a margin call', () => {
  it('is met by a deposit', () =>
    play(`
      ${VENUE}
      trader A USDT 110
      trade X 10 at 100 A from LP
      price X 94.5
      lap
      transitions
        | account | from    | to          | equity | maintenance |
        | A       | HEALTHY | MARGIN_CALL | 55     | 47.25       |
      calls      # 47.25 / 0.66 - 55, up
        | account | status | required              | on lapse    | deadline |
        | A       | OPEN   | 16.590909090909090910 | REDUCE_ONLY | 21:10:00 |
      wait 10s
      deposit A 16.59
      lap
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
});
