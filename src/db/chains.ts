import type { Instant } from '../risk/instant.js';
import type { Reader, Sql } from './connect.js';
import { byId } from './read-page.js';
import { inTransaction } from './transaction.js';

export const CHAINS = ['AUDIT_LOG', 'FUND_LEDGER', 'DELEVERAGE'] as const;
export type Chain = (typeof CHAINS)[number];

export type ChainFault =
  'GAP' | 'LINK_ALTERED' | 'OTHER_HEAD' | 'REORDERED' | 'ROW_ALTERED' | 'ROW_INSERTED' | 'ROW_REMOVED' | 'TAIL_CUT';

/** Where a chain ended when it was looked at. */
export interface ChainHead {
  readonly chain: Chain;
  /** 0: the chain is empty. */
  readonly sequence: string;
  readonly hash: string;
}

export interface VerifiedChain {
  readonly chain: Chain;
  readonly links: string;
  readonly headSequence: string;
  readonly headHash: string;
  /** Rows that are committed and not sealed yet, and since when the oldest of them waits. */
  readonly pending: string;
  readonly pendingSince: Instant | null;
  /** Null, all three: the chain is whole. The row alone: the one that stood there is unknown. */
  readonly badSequence: string | null;
  readonly badRow: string | null;
  readonly reason: ChainFault | null;
}

export interface SealOptions {
  /** Rows that one transaction seals. */
  readonly atMost?: number;
  /** Ends it before the next transaction. */
  readonly signal?: AbortSignal;
}

/** Some milliseconds each where an event has many legs. */
const ROWS_PER_SEAL = 500;

/**
 * Seals what is committed and waits, in transactions of their own; returns how many rows. Any number of processes may
 * call this: one of them works, and one that dies in between leaves whole links only.
 */
export async function sealChains(sql: Sql, { atMost = ROWS_PER_SEAL, signal }: SealOptions = {}): Promise<number> {
  let total = 0;
  // The usual answer, without a transaction.
  const waiting = await sql<{ chain: Chain }[]>`
    select c.chain from unnest(${[...CHAINS]}::text[]) as c (chain)
    where exists (select from chain_due d where d.chain = c.chain)`;
  for (const { chain } of waiting) {
    let sealed: number;
    do {
      sealed = await sealSome(sql, chain, atMost);
      total += sealed;
    } while (sealed === atMost && signal?.aborted !== true);
  }
  return total;
}

async function sealSome(sql: Sql, chain: Chain, atMost: number): Promise<number> {
  return inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    const [row] = await tx<{ sealed: number }[]>`select seal_chain(${chain}, ${atMost}::integer) as sealed`;
    return row?.sealed ?? 0;
  });
}

/** Recomputes the chain from its rows, and holds it against a head that was kept elsewhere, if one is given. */
export async function verifyChain(reader: Reader, chain: Chain, head: ChainHead | null = null): Promise<VerifiedChain> {
  const [row] = await reader<VerifiedChain[]>`
    select chain, links, head_sequence as "headSequence", head_hash as "headHash", pending, pending_since as "pendingSince",
      bad_sequence as "badSequence", bad_row as "badRow", reason
    from verify_chain(${chain}, ${head?.sequence ?? null}::bigint, ${head?.hash ?? null}::text)`;
  if (row === undefined) throw new Error(`no verification of ${chain}`);
  return row;
}

export interface RowLink {
  readonly rowId: string;
  readonly sequence: string;
  readonly hash: string;
}

/** In the order of the rows; null where a row is not sealed yet. */
export async function readLinks(reader: Reader, chain: Chain, rowIds: readonly string[]): Promise<(RowLink | null)[]> {
  const rows = await reader<RowLink[]>`
    select row_id as "rowId", sequence, hash from chain_link
    where chain = ${chain} and row_id = any(${[...rowIds]}::bigint[])`;
  return byId(rowIds, rows, (row) => row.rowId);
}
