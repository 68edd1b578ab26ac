import { describe, it } from '@jest/globals';
import { play } from '../support/scenario.js';

const MARKET = 'market X LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1';

/** A is long 10 of X at 100 with 20: its bankruptcy price is 98, and at 91 it is 70 short. */
const given = (fund: string, marketOptions = ''): string => `
  fund F USDT ${fund}
  provider LP USDT
  ${MARKET} ${marketOptions}
  price X 100
  trader A USDT 20
`;

describe('deleveraging', () => {
  it('begins where the fund ends', () =>
    play(`
      ${given('2')}
      trader B USDT 1000
      trade X 10 at 100 A from B
      price X 97
      lap
      events
        | account | market | side  | mark | bankruptcy value | bankruptcy price | deficit | may pay | paid | price | value | clamped | deleveraged | at mark | pnl | tried |
        | A       | X      | SHORT | 97   | 980              | 98               | 10      | 2       | 2    | 97.8  | 978   | no      | 10          | 0       | -22 | yes   |
      legs
        | stage      | account | rank | before | closed | left | price | value | pnl | concession | equity before | equity after |
        | DELEVERAGE | B       | 1    | -10    | 10     | 0    | 97.8  | -978  | 22  | 8          | 1030          | 1022         |
      skips
      covers
      accounts
        | account | balance | positions | status  |
        | A       | 0       | -         | HEALTHY |
        | B       | 1022    | -         | HEALTHY |
      funds
        | fund | balance |
        | F    | 0       |
      transitions
        | account | from     | to       | equity | maintenance |
        | A       | HEALTHY  | BANKRUPT | -10    | 48.5        |
        | A       | BANKRUPT | HEALTHY  | 0      | 0           |
    `));

  it('takes counterparties by rank, the last one in part', () =>
    play(`
      ${given('0')}
      trader B USDT 100
      trader C USDT 60
      trader D USDT 30
      trade X 3 at 100 A from B
      trade X 3 at 100 LP from B
      trade X 4 at 100 A from C
      trade X 3 at 100 A from D
      lap
      levels         # nobody has won yet: by id
        | account | level | rank |
        | A       | 5     | 1    |
        | B       | 5     | 1    |
        | C       | 3     | 2    |
        | D       | 2     | 3    |
      price X 97
      lap
      events
        | bankruptcy price | deficit | paid | price | deleveraged | at mark |
        | 98               | 10      | 0    | 98    | 10          | 0       |
      legs           # 0.03 * 291/39, 0.03 * 388/72, 0.03 * 582/118
        | account | rank | return | leverage             | score                | shown | before | closed | left | concession |
        | D       | 1    | 0.03   | 7.461538461538461538 | 0.223846153846153846 | 2     | -3     | 3      | 0    | 3          |
        | C       | 2    | 0.03   | 5.388888888888888888 | 0.161666666666666666 | 3     | -4     | 4      | 0    | 4          |
        | B       | 3    | 0.03   | 4.932203389830508474 | 0.147966101694915254 | 5     | -6     | 3      | -3   | 3          |
      skips
      levels
        | account | level | rank |
        | B       | 5     | 1    |
      accounts
        | account | balance | positions |
        | A       | 0       | -         |
        | B       | 106     | -3 X      |
        | C       | 68      | -         |
        | D       | 36      | -         |
    `));

  it('breaks ties by the account’s id', () =>
    play(`
      ${given('0')}
      trader b USDT 100
      trader B USDT 100
      trader C USDT 100
      trade X 4 at 100 A from b
      trade X 4 at 100 A from C
      trade X 2 at 100 A from B
      trade X 2 at 100 LP from B
      price X 97
      lap
      legs
        | account | rank | closed |
        | B       | 1    | 4      |
        | C       | 2    | 4      |
        | b       | 3    | 2      |
    `));

  it('skips who would be bankrupted, or pushed below its margin, and says so', () =>
    play(`
      ${given('0')}
      market Y LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1
      price Y 10
      trader B USDT 1000
      trader C USDT 8
      trader E USDT 64
      trade X 10 at 100 A from B
      trade X 4 at 95 LP from C       # at 91: equity 24, of which the leg would take 28
      trade X 4 at 100 LP from E      # at 91: equity 100, but only 26.69 of it stand behind X
      trade Y 100 at 10 E from LP
      price X 91
      lap
      legs
        | account | rank | closed | price | concession |
        | B       | 3    | 10     | 98    | 70         |
      skips
        | account | rank | reason                     | size | equity |
        | E       | 1    | WOULD_BREACH_MARGIN        | 4    | 100    |
        | C       | 2    | NON_OVERLAPPING_BANKRUPTCY | 4    | 24     |
      accounts
        | account | balance | positions     |
        | A       | 0       | -             |
        | B       | 1020    | -             |
        | C       | 8       | -4 X          |
        | E       | 64      | -4 X, 100 Y   |
    `));

  it('closes at mark what nobody may take, books the rest as bad debt and halts the market', () =>
    play(`
      ${given('5')}
      trader B USDT 50
      trade X 10 at 100 A from LP
      trade X 10 at 92 LP from B      # at 91: equity 60, of which the legs would take 65
      price X 91
      lap
      events
        | deficit | may pay | paid | price | deleveraged | at mark |
        | 70      | 5       | 5    | 97.5  | 0           | 10      |
      legs
        | stage         | account | rank | closed | price | concession | equity before | equity after |
        | CLOSE_AT_MARK | B       | 1    | 10     | 91    | 0          | 60            | 60           |
      skips
        | account | rank | reason                     | size | equity |
        | B       | 1    | NON_OVERLAPPING_BANKRUPTCY | 10   | 60     |
      covers
        | account | market | fund | shortfall | may pay | paid | bad debt |
        | A       | X      | F    | 65        | 0       | 0    | 65       |
      accounts
        | account | balance | positions |
        | A       | 0       | -         |
        | B       | 60      | -         |
      markets
        | market | status |
        | X      | HALTED |
      # while it is halted nobody is touched
      trader D USDT 4
      trade X 1 at 91 D from LP
      depth X bids 5@91
      wait 1s
      lap
      accounts
        | account | equity | maintenance | status |
        | D       | 4      | 4.55        | HEALTHY held |
      liquidations
      resume X
      wait 1s
      lap
      liquidations
        | account | closed | fund   |
        | D       | 1      | 0.2275 |
      markets
        | market | status |
        | X      | ACTIVE |
    `));

  it('asks nobody for anything while the fund is rich, on an empty book', () =>
    play(`
      ${given('1000')}
      trader B USDT 1000
      trade X 10 at 100 A from B
      price X 91
      lap
      events
        | deficit | may pay | paid | price | value | deleveraged |
        | 70      | 1000    | 70   | 91    | 910   | 10          |
      legs
        | stage      | account | closed | price | concession | equity before | equity after |
        | DELEVERAGE | B       | 10     | 91    | 0          | 1090          | 1090         |
      accounts
        | account | balance | positions |
        | A       | 0       | -         |
        | B       | 1090    | -         |
      funds
        | fund | balance |
        | F    | 930     |
    `));

  it('shares the loss with a fund that can pay half', () =>
    play(`
      ${given('35')}
      trader B USDT 1000
      trade X 10 at 100 A from B
      price X 91
      lap
      events
        | deficit | may pay | paid | price | deleveraged |
        | 70      | 35      | 35   | 94.5  | 10          |
      legs
        | account | concession |
        | B       | 35         |
      funds
        | fund | balance |
        | F    | 0       |
      covers
    `));

  it('asks no more of anybody than the farthest price from the mark', () =>
    play(`
      ${given('0', 'maxDeviation 0.05 badDebtLimit 100')}
      trader B USDT 1000
      trade X 10 at 100 A from B
      price X 91
      lap
      events         # 98 is beyond 91 * 1.05
        | bankruptcy price | price | value | clamped |
        | 98               | 95.55 | 955.5 | yes     |
      covers
        | account | shortfall | paid | bad debt |
        | A       | 24.5      | 0    | 24.5     |
      accounts
        | account | balance |
        | A       | 0       |
        | B       | 1044.5  |
      markets
        | market | status |
        | X      | ACTIVE |
    `));

  it('on the price basis MARK asks nobody, and what the fund cannot pay is bad debt', () =>
    play(`
      ${given('20', 'badDebtLimit 50')}
      policy X priceBasis MARK
      trader B USDT 1000
      trade X 10 at 100 A from B
      price X 91
      lap
      events
        | basis | deficit | paid | price | deleveraged | at mark |
        | MARK  | 70      | 20   | 91    | 10          | 0       |
      legs
        | stage      | account | concession |
        | DELEVERAGE | B       | 0          |
      covers
        | account | shortfall | may pay | paid | bad debt |
        | A       | 50        | 0       | 0    | 50       |
      markets
        | market | status |
        | X      | ACTIVE |
    `));

  it('by PRO_RATA takes in proportion to profit, the odd lot by the largest remainder', () =>
    play(`
      ${given('0')}
      policy X allocation PRO_RATA
      trader B USDT 1000
      trader C USDT 1000
      trader D USDT 1000
      trade X 6 at 100 A from B
      trade X 2 at 100 LP from B
      trade X 4 at 100 A from C
      trade X 5 at 90 LP from D       # loses at 91, so that it is asked last
      price X 91
      lap
      legs           # 10 by 72 : 36 is 6.67 and 3.33
        | account | rank | closed | concession |
        | B       | 1    | 7      | 49         |
        | C       | 2    | 3      | 21         |
      accounts
        | account | balance | positions |
        | A       | 0       | -         |
        | B       | 1014    | -1 X      |
        | C       | 1006    | -1 X      |
        | D       | 1000    | -5 X      |
    `));

  it('spends of a fund what one event may cost, and what its window allows', () =>
    play(`
      fund F USDT 100 perEventCap 15 windowAllowance 20
      provider LP USDT
      ${MARKET} staleAfterMs 60000
      price X 100
      trader A1 USDT 20
      trader A2 USDT 20
      trader B USDT 1000
      trade X 10 at 100 A1 from B
      trade X 10 at 100 A2 from B
      price X 91
      lap
      events
        | account | may pay | allowance | paid | price |
        | A1      | 15      | 20        | 15   | 96.5  |
        | A2      | 5       | 5         | 5    | 97.5  |
      trader A3 USDT 5
      trade X 1 at 100 A3 from B
      wait 10s
      lap
      events
        | account | may pay | allowance | paid |
        | A3      | 0       | 0         | 0    |
      trader A4 USDT 5
      trade X 1 at 100 A4 from B
      wait 479m
      wait 50s
      price X 91
      lap            # eight hours later
      events
        | account | may pay | allowance | paid |
        | A4      | 15      | 20        | 4    |
      funds
        | fund | balance |
        | F    | 76      |
    `));
});
