import { describe, it } from '@jest/globals';
import { play } from '../support/scenario.js';

/** A is long 10 of X at 100 with 20: its bankruptcy price is 98, and the fund is empty. */
const GIVEN = `
  fund F USDT 0
  provider LP USDT
  market X LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1
  price X 100
  trader A USDT 20
`;

describe('an exempt account', () => {
  it('is passed over, though it would be first, and the next ones are taken', () =>
    play(`
      ${GIVEN}
      trader B USDT 30
      trader C USDT 60
      trader D USDT 100
      trade X 3 at 100 A from B
      trade X 4 at 100 A from C
      trade X 3 at 100 A from D
      trade X 3 at 100 LP from D
      lap
      levels
        | account | level | rank |
        | A       | 5     | 1    |
        | B       | 5     | 1    |
        | C       | 4     | 2    |
        | D       | 3     | 3    |
      exempt B
      lap
      levels         # without B the queue is another; ranks are those of when a level last changed
        | account | level | rank |
        | A       | 5     | 1    |
        | C       | 5     | 1    |
        | D       | 3     | 3    |
      price X 97
      lap
      legs
        | stage      | account | rank | closed | left | concession |
        | DELEVERAGE | C       | 1    | 4      | 0    | 4          |
        | DELEVERAGE | D       | 2    | 6      | 0    | 6          |
      skips
        | account | rank | reason | size | equity |
        | B       | -    | EXEMPT | 3    | 39     |
      accounts
        | account | balance | positions | status  |
        | B       | 30      | -3 X      | HEALTHY |
    `));

  it('closes at mark behind everybody with a rank, the bankrupt too, and before the liquidity provider', () =>
    play(`
      ${GIVEN}
      market Y LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1
      price Y 100
      trader B USDT 100
      trader C USDT 60
      trader E USDT 5
      trade X 2 at 100 A from B
      trade X 3 at 100 A from C
      trade X 1 at 100 A from E
      trade Y 10 at 100 E from LP       # E is bankrupt at 99.15, and less so than A
      trade X 4 at 100 A from LP
      exempt B
      price X 97
      price Y 99.15
      lap
      legs
        | stage         | account | rank | closed | price | concession |
        | DELEVERAGE    | C       | 1    | 3      | 98    | 3          |
        | CLOSE_AT_MARK | E       | 2    | 1      | 97    | 0          |
        | CLOSE_AT_MARK | B       | -    | 2      | 97    | 0          |
        | CLOSE_AT_MARK | LP      | -    | 4      | 97    | 0          |
        | CLOSE_AT_MARK | LP      | -    | 10     | 99.15 | 0          |
    `));

  it('that is held as well is told as exempt, and closes last, with the held', () =>
    play(`
      ${GIVEN}
      market Y LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1
      trader B USDT 100
      trader G USDT 100
      trader H USDT 100
      trade X 3 at 100 A from B
      trade X 2 at 100 A from G
      trade X 1 at 100 A from H
      trade X 4 at 100 A from LP
      trade Y 1 at 10 B from LP         # Y has no price: B and H are held
      trade Y 1 at 10 H from LP
      exempt B
      exempt G
      price X 97
      lap
      legs
        | stage         | account | rank | closed |
        | CLOSE_AT_MARK | G       | -    | 2      |
        | CLOSE_AT_MARK | LP      | -    | 4      |
        | CLOSE_AT_MARK | B       | -    | 3      |
        | CLOSE_AT_MARK | H       | -    | 1      |
      skips          # as they stood at the price; H was taken in the end
        | account | rank | reason | size |
        | B       | -    | EXEMPT | 3    |
        | G       | -    | EXEMPT | 2    |
    `));

  it('is liquidated and deleveraged itself like any other', () =>
    play(`
      ${GIVEN}
      trader B USDT 1000
      trade X 10 at 100 A from B
      exempt A
      price X 97
      lap
      legs
        | stage      | account | rank | closed |
        | DELEVERAGE | B       | 1    | 10     |
      accounts
        | account | balance | positions |
        | A       | 0       | -         |
    `));

  it('stands in its place again when the exemption has ended', () =>
    play(`
      ${GIVEN}
      trader B USDT 30
      trader C USDT 300
      trade X 3 at 100 A from B
      trade X 7 at 100 A from C
      trade X 1 at 100 LP from B
      exempt B
      lap
      levels
        | account | level | rank |
        | A       | 5     | 1    |
        | C       | 5     | 1    |
      unexempt B
      price X 97
      lap
      legs
        | account | rank | closed |
        | B       | 1    | 4      |
        | C       | 2    | 6      |
      skips
    `));
});
