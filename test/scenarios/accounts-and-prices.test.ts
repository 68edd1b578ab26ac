import { describe, it } from '@jest/globals';
import { play } from '../support/scenario.js';

const linear = (id: string): string =>
  `market ${id} LINEAR USDT fund F provider LP contract 1 tick 0.01 step 1 rates 0:0.05:0.1`;

const given = (fund: string): string => `
  fund F USDT ${fund}
  provider LP USDT
  ${linear('X')}
  ${linear('Y')}
  price X 100
  price Y 100
`;

describe('a cross account with two markets', () => {
  it('is closed in both, each for its share of what is missing', () =>
    play(`
      ${given('0')}
      trader A USDT 80
      trader B USDT 1000
      trade X 10 at 100 A from B
      trade Y 10 at 100 A from B
      price X 91
      lap
      events         # 10 are missing: 45.5/95.5 of them in X, down, the rest in Y, whose maintenance is larger
        | market | bankruptcy value       | deficit              | price                 | deleveraged |
        | Y      | 1005.235602094240837696 | 5.235602094240837696 | 100.523560209424083769 | 10         |
        | X      | 914.764397905759162304 | 4.764397905759162304 | 91.47643979057591623  | 10          |
      accounts
        | account | balance | positions |
        | A       | 0       | -         |
        | B       | 1080    | -         |
      covers
    `));

  it('keeps what need not be closed', () =>
    play(`
      ${given('0')}
      trader A USDT 150
      trade X 10 at 100 A from LP
      trade Y 10 at 100 A from LP
      price X 91
      depth X bids 10@91
      depth Y bids 10@100
      lap
      liquidations   # 60 against 95.5: all of Y is closed, and then 57.5 are enough for X
        | market | kind | bankruptcy value       | closed | value | fund | equity after | maintenance after |
        | Y      | FULL | 968.586387434554973821 | 10     | 1000  | 2.5  | 57.5         | 45.5              |
      accounts
        | account | balance | positions | status  |
        | A       | 147.5   | 10 X      | WARNING |
    `));
});

describe('an inverse market', () => {
  it('counts in the coin', () =>
    play(`
      fund F BTC 0.05
      provider LP BTC
      market I INVERSE BTC fund F provider LP contract 100 tick 0.5 step 1 rates 0:0.01:0.02
      price I 100
      trader A BTC 1
      trader B BTC 100
      trade I 10 at 100 A from B
      price I 90
      lap
      events         # 10 lots of 100/90 each, down; bankrupt at 1000/11; the fund pays 0.05
        | side  | bankruptcy value | bankruptcy price   | deficit           | paid | value  | price                 | deleveraged |
        | SHORT | -11              | 90.90909090909090909 | 0.11111111111111111 | 0.05 | -11.05 | 90.497737556561085972 | 10          |
      legs
        | account | before | closed | value | pnl  | concession          |
        | B       | -10    | 10     | 11.05 | 1.05 | 0.06111111111111111 |
      accounts
        | account | balance | positions |
        | A       | 0       | -         |
        | B       | 101.05  | -         |
      funds
        | fund | balance |
        | F    | 0       |
    `));

  it('is liquidated against its depth', () =>
    play(`
      fund F BTC 0
      provider LP BTC
      market I INVERSE BTC fund F provider LP contract 100 tick 0.5 step 1 rates 0:0.05:0.1
      price I 100
      trader A BTC 1.6
      trade I 10 at 100 A from LP
      price I 90
      depth I bids 40@90
      lap
      liquidations   # (5/9 - 0.75 * 0.4888...) / (0.05 - 0.75 * 0.0025) * 0.9 = 3.5
        | kind    | target | closed | value                | fund                 |
        | PARTIAL | 4      | 4      | -4.444444444444444444 | 0.011111111111111111 |
    `));
});

describe('an isolated account', () => {
  it('dies without touching its owner’s cross account', () =>
    play(`
      ${given('0')}
      trader cross USDT 500 owner T
      trader alone USDT 20 owner T mode ISOLATED
      trader B USDT 1000
      trade X 10 at 100 alone from B
      trade X 1 at 100 cross from B
      price X 91
      lap
      events
        | account | deficit | price | deleveraged |
        | alone   | 70      | 98    | 10          |
      accounts
        | account | balance | equity | positions | status  |
        | alone   | 0       | 0      | -         | HEALTHY |
        | cross   | 500     | 491    | 1 X       | HEALTHY |
    `));
});

describe('a stale market beside a live one', () => {
  it('holds who depends on it, and nobody else', () =>
    play(`
      ${given('0')}
      trader A USDT 70                # half of its margin is in X, which goes stale
      trader B USDT 1000
      trader H USDT 1000              # a counterparty that is held too
      trader L USDT 30
      trade X 5 at 100 A from LP
      trade Y 5 at 100 A from B
      trade X 5 at 100 LP from H
      trade Y 5 at 100 L from H
      lap
      wait 31s
      price Y 91
      lap
      accounts
        | account | equity | maintenance | status       |
        | A       | 25     | 47.75       | WARNING held |
        | H       | 1045   | 47.75       | HEALTHY held |
        | L       | 0      | 0           | HEALTHY      |
      transitions
        | account | from     | to       | held | equity | maintenance |
        | A       | WARNING  | WARNING  | yes  | 25     | 47.75       |
        | H       | HEALTHY  | HEALTHY        | yes  | 1045   | 47.75       |
        | L       | MARGIN_CALL | BANKRUPT | no   | -15    | 22.75       |
        | L       | BANKRUPT | HEALTHY  | no   | 0      | 0           |
      legs
        | account | closed |
        | B       | 5      |
      skips
        | account | rank | reason | size |
        | H       | -    | HELD   | 5    |
      price X 100
      lap            # fresh again: now A is seen as what it is
      transitions
        | account | from    | to           | held |
        | A       | WARNING | LIQUIDATABLE | no   |
        | H       | HEALTHY | HEALTHY      | no   |
    `));

  it('counts little while it is little, and is closed once it is live again', () =>
    play(`
      ${given('0')}
      trader A USDT 100
      trader B USDT 2000
      trade X 1 at 100 A from B
      trade Y 30 at 100 A from B
      lap
      wait 31s
      price Y 91
      lap            # 5 of 141.5 are stale, less than 5 %: Y goes, X has to wait
      events
        | market | deleveraged |
        | Y      | 30          |
      accounts
        | account | positions | status        |
        | A       | 1 X       | BANKRUPT held |
      price X 100
      lap
      events
        | market | deleveraged |
        | X      | 1           |
      accounts
        | account | balance | positions | status  |
        | A       | 0       | -         | HEALTHY |
        | B       | 2100    | -         | HEALTHY |
    `));
});

describe('a suspect price', () => {
  const crash = `
    ${given('0')}
    trader A USDT 150
    trader B USDT 1000
    trade X 10 at 100 A from B
    lap
    wait 1s
    price X 80
    lap
    transitions
    events
    prices
      | market | price | state    |
      | X      | 100   | ACCEPTED |
      | Y      | 100   | ACCEPTED |
      | X      | 80    | SUSPECT  |
  `;

  it('drives nothing until a second one confirms it', () =>
    play(`
      ${crash}
      wait 1s
      price X 80.5
      lap
      prices
        | market | price | state     |
        | X      | 100   | ACCEPTED  |
        | Y      | 100   | ACCEPTED  |
        | X      | 80    | CONFIRMED |
        | X      | 80.5  | ACCEPTED  |
      events
        | account | mark | deficit | price | deleveraged |
        | A       | 80.5 | 45      | 85    | 10          |
    `));

  it('drives nothing until an operator confirms it', () =>
    play(`
      ${crash}
      confirm X
      lap
      events
        | account | mark | deficit | price | deleveraged |
        | A       | 80   | 50      | 85    | 10          |
    `));

  it('is forgotten when the next price is as before', () =>
    play(`
      ${crash}
      wait 1s
      price X 99
      lap
      events
      accounts
        | account | equity |
        | A       | 140    |
    `));

  it('may be one that the index contradicts', () =>
    play(`
      ${given('0')}
      trader A USDT 150
      trade X 10 at 100 A from LP
      price X 95 index 110
      lap
      accounts
        | account | equity |
        | A       | 150    |
    `));
});
