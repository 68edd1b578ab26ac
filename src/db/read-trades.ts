import type { Instant } from '../risk/instant.js';
import type { Reader } from './connect.js';

/** A trade as the exchange reported it; amounts are texts. */
export interface ReportedTrade {
  readonly externalId: string;
  readonly marketId: string;
  readonly buyerId: string;
  readonly sellerId: string;
  readonly size: string;
  readonly price: string;
  readonly buyerFee: string;
  readonly sellerFee: string;
  readonly at: Instant;
  readonly receivedAt: Instant;
  /** External id of what it takes back, and of what takes it back. */
  readonly corrects: string | null;
  readonly correctedBy: string | null;
}

export async function readTrade(reader: Reader, externalId: string): Promise<ReportedTrade | null> {
  const [row] = await reader<ReportedTrade[]>`
    select t.external_id as "externalId", t.market_id as "marketId", t.buyer_id as "buyerId", t.seller_id as "sellerId",
      t.size, t.price, t.buyer_fee as "buyerFee", t.seller_fee as "sellerFee", t.at, t.received_at as "receivedAt",
      t.corrects, c.external_id as "correctedBy"
    from trade t left join trade c on c.corrects = t.external_id
    where t.external_id = ${externalId}`;
  return row ?? null;
}
