import { dec, type Decimal } from '../risk/decimal.js';
import type { Instant } from '../risk/instant.js';
import type { Reader, Tx } from './connect.js';

export interface FundingPayment {
  readonly accountId: string;
  /** Positive: received. */
  readonly amount: Decimal;
}

export interface FundingFact {
  readonly externalId: string;
  readonly marketId: string;
  readonly at: Instant;
  readonly payments: readonly FundingPayment[];
}

interface FundingRow {
  external_id: string;
  market_id: string;
  at: Instant;
  account_ids: string[];
  amounts: string[];
}

export async function loadFundings(reader: Reader, externalIds: readonly string[]): Promise<FundingFact[]> {
  const rows = await reader<FundingRow[]>`
    select f.external_id, f.market_id, f.at,
      array_agg(p.account_id::text) as account_ids, array_agg(p.amount::text) as amounts
    from funding f join funding_payment p on p.funding_id = f.id
    where f.external_id = any(${[...externalIds]}::text[])
    group by f.id`;
  return rows.map((row) => ({
    externalId: row.external_id,
    marketId: row.market_id,
    at: row.at,
    payments: row.account_ids.map((accountId, index) => ({ accountId, amount: dec(row.amounts[index] ?? '0') })),
  }));
}

/** Ids by external id of those stored now, with their payments; one that another transaction has just stored is left out. */
export async function insertFundings(tx: Tx, fundings: readonly FundingFact[]): Promise<Map<string, string>> {
  const rows = await tx<{ id: string; external_id: string }[]>`
    insert into funding (external_id, market_id, at)
    select external_id, market_id, at
    from unnest(${fundings.map((f) => f.externalId)}::text[], ${fundings.map((f) => f.marketId)}::text[],
      ${fundings.map((f) => f.at)}::timestamptz[]) with ordinality as n (external_id, market_id, at, place)
    order by place
    on conflict (external_id) do nothing
    returning id, external_id`;
  const ids = new Map(rows.map((row) => [row.external_id, row.id]));
  const payments = fundings.flatMap((funding) => {
    const fundingId = ids.get(funding.externalId);
    return fundingId === undefined ? [] : funding.payments.map((payment) => ({ fundingId, ...payment }));
  });
  await tx`
    insert into funding_payment (funding_id, account_id, amount)
    select funding_id, account_id, amount
    from unnest(${payments.map((p) => p.fundingId)}::bigint[], ${payments.map((p) => p.accountId)}::text[],
      ${payments.map((p) => p.amount.toFixed())}::numeric[]) as n (funding_id, account_id, amount)`;
  return ids;
}
