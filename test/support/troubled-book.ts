import type { Sql } from '../../src/db/connect.js';
import { runLap } from '../../src/engine/run-lap.js';
import type { BookLine } from '../../src/ingest/book-line.js';
import { recordDepth } from '../../src/ingest/depth.js';
import { importBookLines } from '../../src/ingest/import-book.js';
import { recordPrices } from '../../src/ingest/prices.js';
import { addMilliseconds } from '../../src/risk/instant.js';
import { exemptAsOf } from './exemptions.js';

/** When the lap runs that has everything to do. */
export const TROUBLE = '2025-10-10T21:00:10.000000Z';
const BEFORE = addMilliseconds(TROUBLE, -10_000);
const CHANGE = { changedBy: 'test', reason: 'a book in trouble' };

type Opening = readonly [account: string, balance: string, positions: readonly (readonly [string, string, string])[]];

const BOOK: readonly Opening[] = [
  // At 91 in X: bankrupt by 70, of which the fund has 15.
  ['A', '20', [['X', '10', '100']]],
  [
    'B',
    '1000',
    [
      ['X', '-8', '100'],
      ['Z', '-1', '100'],
    ],
  ],
  // Skipped: the leg would take more than its equity of 24.
  ['C', '8', [['X', '-4', '95']]],
  // Exempt until then. Liquidatable, closed against the bids as far as they go.
  ['L', '48', [['X', '5', '100']]],
  // Called.
  ['M', '14.5', [['X', '1', '100']]],
  // Bankrupt in Y, where nobody may take it: closed at mark, a bad debt, a halt.
  ['D', '20', [['Y', '10', '100']]],
  ['E', '50', [['Y', '-10', '92']]],
  // Called before, and lapses by becoming bankrupt.
  ['K', '12', [['Z', '2', '100']]],
  [
    'LP',
    '0',
    [
      ['X', '-4', '100'],
      ['Z', '-1', '100'],
    ],
  ],
];

/** A book to which the lap at TROUBLE does all that a lap can do to one; one lap has run before. */
export async function openTroubledBook(sql: Sql): Promise<void> {
  await importBookLines(sql, openingLines(), { at: BEFORE });
  await recordPrices(sql, [{ id: 'z0', marketId: 'Z', price: '100', at: BEFORE }]);
  await exemptAsOf(sql, 'L', BEFORE, TROUBLE);
  await runLap(sql, { worker: 'before', at: BEFORE });
  const at = TROUBLE;
  await recordPrices(
    sql,
    ['X', 'Y', 'Z'].map((marketId) => ({ id: `${marketId}1`, marketId, price: '91', at })),
  );
  await recordDepth(sql, [
    {
      id: 'x',
      marketId: 'X',
      bids: [
        ['91', '3'],
        ['90', '1'],
      ],
      asks: [],
      at,
    },
  ]);
  await sql`update job set due_at = clock_timestamp()`;
}

function openingLines(): BookLine[] {
  const lines: BookLine[] = [{ type: 'asset', id: 'USDT' }];
  for (const [id] of BOOK) {
    lines.push({ type: 'trader', id });
    const kind = id === 'LP' ? 'LIQUIDITY_PROVIDER' : 'TRADER';
    lines.push({ type: 'account', id, traderId: id, kind, marginAssetId: 'USDT' });
  }
  for (const [id, amount] of [
    ['F', '15'],
    ['G', '5'],
  ] as const) {
    lines.push({ type: 'fund', id, assetId: 'USDT', name: `Fund ${id}` });
    lines.push({ type: 'balance', accountId: id, amount });
  }
  for (const id of ['X', 'Y', 'Z']) lines.push(marketLine(id, id === 'Y' ? 'G' : 'F'));
  for (const [accountId, amount] of BOOK) if (amount !== '0') lines.push({ type: 'balance', accountId, amount });
  for (const [accountId, , positions] of BOOK) {
    for (const [marketId, size, entryPrice] of positions)
      lines.push({ type: 'position', accountId, marketId, size, entryPrice });
  }
  return lines;
}

function marketLine(id: string, insuranceFundId: string): BookLine {
  return {
    ...{
      type: 'market',
      id,
      payoff: 'LINEAR',
      settlementAssetId: 'USDT',
      contractSize: '1',
      priceTick: '0.01',
      sizeStep: '1',
    },
    ...{ insuranceFundId, liquidityProviderId: 'LP', ...CHANGE },
    brackets: [{ floor: '0', maintenanceRate: '0.05', initialRate: '0.1' }],
  };
}
