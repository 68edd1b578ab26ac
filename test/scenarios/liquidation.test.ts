import { describe, it } from '@jest/globals';
import { play } from '../support/scenario.js';

const MARKET = 'market X LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1';

const given = (deposit: string, fund: string): string => `
  fund F USDT ${fund}
  provider LP USDT
  ${MARKET}
  price X 100
  trader A USDT ${deposit}
  trade X 10 at 100 A from LP
`;

describe('a liquidation', () => {
  it('reduces just enough', () =>
    play(`
      ${given('110', '0')}
      price X 93
      depth X bids 3@92.9 9@92.8
      lap
      liquidations   # (46.5 - 0.75 * 40) / (4.65 - 0.75 * (0.1 + 0.0025 * 92.9)) = 3.7
        | account | reason       | kind    | stopped by | bankruptcy value | target | closed | value | pnl   | fund    | best | depth |
        | A       | LIQUIDATABLE | PARTIAL | TARGET     | 890              | 4      | 4      | 371.5 | -28.5 | 0.92875 | 92.9 | 12    |
      fills
        | level | price | size | value |
        | 1     | 92.9  | 3    | 278.7 |
        | 2     | 92.8  | 1    | 92.8  |
      accounts
        | account | balance  | equity   | maintenance | positions | status  |
        | A       | 80.57125 | 38.57125 | 27.9        | 6 X       | WARNING |
        | LP      | 28.5     | 70.5     | 27.9        | -6 X      | -       |
      transitions
        | account | from         | to           |
        | A       | HEALTHY      | LIQUIDATABLE |
        | A       | LIQUIDATABLE | WARNING      |
      funds
        | fund | balance |
        | F    | 0.92875 |
      lap            # the same lap twice is once
      liquidations
    `));

  it('takes the whole position when no part is enough, and its surplus feeds the fund', () =>
    play(`
      ${given('74', '0')}
      price X 93
      depth X bids 10@93
      lap
      liquidations   # surplus 930 - 926 = 4, fee 0.0025 * 930
        | account | kind | stopped by | bankruptcy value | target | closed | value | pnl | fund  | equity after |
        | A       | FULL | TARGET     | 926              | 10     | 10     | 930   | -70 | 2.325 | 1.675        |
      accounts
        | account | balance | equity | maintenance | positions | status  |
        | A       | 1.675   | 1.675  | 0           | -         | HEALTHY |
      funds
        | fund | balance |
        | F    | 2.325   |
      events
    `));

  it('whose price is worse than the bankruptcy price is paid for by the fund', () =>
    play(`
      ${given('74', '100')}
      price X 92.5
      depth X bids 10@92
      lap
      liquidations
        | account | reason   | kind | stopped by | bankruptcy value | closed | value | pnl | fund | may pay | equity before | equity after |
        | A       | BANKRUPT | FULL | TARGET     | 926              | 10     | 920   | -80 | -6   | 100     | -1            | 0            |
      accounts
        | account | balance | positions | status  |
        | A       | 0       | -         | HEALTHY |
      funds
        | fund | balance |
        | F    | 94      |
      events
      covers
      markets
        | market | status |
        | X      | ACTIVE |
    `));

  it('pays the fund from its good fills and spends that on its bad ones, to the last digit', () =>
    play(`
      fund F USDT 0
      provider LP USDT
      ${MARKET} maxFeeRate 0.04
      price X 100
      trader A USDT 20
      trader B USDT 1000
      trade X 10 at 100 A from B
      price X 97
      depth X bids 4@99 4@98 4@95
      lap
      liquidations   # the fund has 4, 4 and, of 3 it would be asked for one after another, 3: one left
        | account | kind | stopped by | bankruptcy value | target | closed | value | fund | equity after |
        | A       | FULL | FUND       | 980              | 10     | 9      | 883   | 1    | -1           |
      fills
        | level | price | size | value |
        | 1     | 99    | 4    | 396   |
        | 2     | 98    | 4    | 392   |
        | 3     | 95    | 1    | 95    |
      events
        | account | side  | bankruptcy value | deficit | may pay | paid | price | size | deleveraged | at mark | tried |
        | A       | SHORT | 98               | 1       | 1       | 1    | 97    | 1    | 1           | 0       | yes   |
      legs
        | stage      | account | closed | price | concession |
        | DELEVERAGE | B       | 1      | 97    | 0          |
      accounts
        | account | balance | positions | status  |
        | A       | 0       | -         | HEALTHY |
        | B       | 1003    | -9 X      | HEALTHY |
        | LP      | 0       | 9 X       | -       |
      funds
        | fund | balance |
        | F    | 0       |
      covers
    `));

  it('uses depth up until the next depth arrives', () =>
    play(`
      ${given('110', '0')}
      price X 93
      depth X bids 1@93
      lap
      liquidations
        | closed | stopped by | target |
        | 1      | DEPTH      | 4      |
      lap
      liquidations
      depth X bids 1@93
      lap
      liquidations
        | closed | stopped by | target |
        | 1      | DEPTH      | 3      |
    `));

  it('takes nothing further from the mark than allowed', () =>
    play(`
      ${given('110', '50')}
      price X 93
      depth X bids 1@83.7 9@83.69
      lap
      liquidations
        | closed | stopped by | value |
        | 1      | DEVIATION  | 83.7  |
    `));

  it('of a short buys from the asks', () =>
    play(`
      fund F USDT 0
      provider LP USDT
      ${MARKET}
      price X 100
      trader A USDT 110
      trade X 10 at 100 LP from A
      price X 107
      depth X bids 50@106.9 asks 50@107
      lap
      liquidations   # (53.5 - 0.75 * 40) / (5.35 - 0.75 * 0.0025 * 107) = 4.6
        | account | kind    | bankruptcy value | target | closed | value | pnl | fund   | equity after | maintenance after |
        | A       | PARTIAL | -1110            | 5      | 5      | -535  | -35 | 1.3375 | 38.6625      | 26.75             |
    `));

  it('reaches no more accounts than a lap may change, worst first, and goes on at once', () =>
    play(`
      venue accountsPerLap 1
      fund F USDT 0
      provider LP USDT
      ${MARKET}
      price X 100
      trader A USDT 11
      trader B USDT 10
      trader C USDT 10.5
      trade X 1 at 100 A from LP
      trade X 1 at 100 B from LP
      trade X 1 at 100 C from LP
      price X 93
      depth X bids 9@93
      lap more
      liquidations
        | account | closed |
        | B       | 1      |
      lap more
      liquidations
        | account | closed |
        | C       | 1      |
      lap
      liquidations
        | account | closed |
        | A       | 1      |
    `));
});
