import { createHash } from 'node:crypto';
import type { Sql, Tx } from '../db/connect.js';
import {
  beginReconciliation,
  findMissingChunk,
  findToldBefore,
  insertChunk,
  loadChunkDigest,
  lockReconciliation,
  storeComparison,
  type LockedReconciliation,
  type ToldRow,
} from '../db/record-reconciliation.js';
import { inTransaction } from '../db/transaction.js';
import { BackstopError } from '../errors.js';
import type { Instant } from '../risk/instant.js';
import { MAX_ROWS, openRow, readAmount, readId, readInstant, readInteger, readList, refuse } from './parse.js';

/** One part of what the exchange holds by its own books at one instant. */
export interface SnapshotChunkInput {
  /** The exchange's id of the snapshot. */
  readonly id: string;
  readonly asOf: string;
  /** From 1. */
  readonly chunk: number;
  readonly positions: readonly { readonly accountId: string; readonly marketId: string; readonly size: string }[];
  readonly balances: readonly { readonly accountId: string; readonly assetId: string; readonly amount: string }[];
}

export interface SnapshotFinishInput {
  readonly id: string;
  /** How many the exchange has sent. */
  readonly chunks: number;
  readonly rows: number;
}

/** 100,000,000 rows: more than any venue has, and few enough to look for the one that is missing. */
const MOST_CHUNKS = 100_000;

interface SnapshotChunk {
  readonly id: string;
  readonly asOf: Instant;
  readonly number: number;
  readonly rows: readonly (ToldRow & { readonly field: string })[];
  readonly digest: string;
}

/** Stores a part of a snapshot, and begins the snapshot with the first that comes. Its id. */
export async function addSnapshotChunk(sql: Sql, subject: string, input: SnapshotChunkInput): Promise<string> {
  const chunk = parseChunk(input);
  return inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    if (!(await beginReconciliation(tx, chunk.id, chunk.asOf, subject)))
      refuse({ rowIndex: undefined }, 'asOf', `${chunk.asOf} is not reached yet`);
    const snapshot = await lock(tx, chunk.id);
    if (snapshot.asOf !== chunk.asOf)
      throw new BackstopError('ID_REUSED', `asOf: ${chunk.id} is of ${snapshot.asOf}`, { field: 'asOf' });
    const stored = await loadChunkDigest(tx, snapshot.id, chunk.number);
    if (stored === chunk.digest) return snapshot.id;
    if (stored !== null) {
      const message = `chunk: ${String(chunk.number)} is stored already, with other content`;
      throw new BackstopError('ID_REUSED', message, { field: 'chunk' });
    }
    refuseUnlessReceiving(snapshot, chunk.id);
    const told = await findToldBefore(tx, snapshot.id, chunk.rows);
    const repeated = told === null ? undefined : chunk.rows[told];
    if (repeated !== undefined) {
      const message = `${repeated.field}: ${nameOf(repeated)} stands in another chunk`;
      throw new BackstopError('CONFLICT', message, { field: repeated.field });
    }
    await insertChunk(tx, snapshot.id, chunk);
    return snapshot.id;
  });
}

/** Ends a snapshot that is whole, and compares it. Nothing but the result is written. Its id. */
export async function finishSnapshot(sql: Sql, subject: string, input: SnapshotFinishInput): Promise<string> {
  const row = openRow(input, ['id', 'chunks', 'rows']);
  const externalId = readId(row, 'id');
  const chunks = readInteger(row, 'chunks', 1, MOST_CHUNKS);
  const rows = readInteger(row, 'rows', 0);
  return inTransaction(sql, { isolation: 'read committed' }, async (tx) => {
    const snapshot = await lock(tx, externalId);
    const refuseCount = (field: string, came: number): never =>
      refuse(row, field, `${externalId} has ${String(came)}`, 'CONFLICT');
    if (snapshot.status !== 'FINISHED') {
      const missing = await findMissingChunk(tx, snapshot.id, chunks);
      if (missing !== null)
        refuse(row, 'chunks', `number ${String(missing)} of ${externalId} did not come`, 'CONFLICT');
    }
    if (snapshot.chunkCount !== chunks) refuseCount('chunks', snapshot.chunkCount);
    if (snapshot.rowCount !== rows) refuseCount('rows', snapshot.rowCount);
    if (snapshot.status === 'FINISHED') return snapshot.id;
    refuseUnlessReceiving(snapshot, externalId);
    await storeComparison(tx, snapshot, subject);
    return snapshot.id;
  });
}

async function lock(tx: Tx, externalId: string): Promise<LockedReconciliation> {
  const snapshot = await lockReconciliation(tx, externalId);
  if (snapshot === null) throw new BackstopError('NOT_FOUND', `id: no reconciliation ${externalId}`, { field: 'id' });
  return snapshot;
}

function refuseUnlessReceiving({ status }: LockedReconciliation, externalId: string): void {
  if (status === 'RECEIVING') return;
  const why = status === 'FINISHED' ? 'is finished' : 'was begun more than 24 hours ago: begin another one';
  throw new BackstopError('CONFLICT', `id: ${externalId} ${why}`, { field: 'id' });
}

function parseChunk(input: SnapshotChunkInput): SnapshotChunk {
  const row = openRow(input, ['id', 'asOf', 'chunk', 'positions', 'balances']);
  const id = readId(row, 'id');
  const asOf = readInstant(row, 'asOf');
  if (asOf === null) refuse(row, 'asOf', 'must be told');
  const number = readInteger(row, 'chunk', 1, MOST_CHUNKS);
  const [positions, balances] = [readList(row, 'positions'), readList(row, 'balances')];
  const count = positions.length + balances.length;
  if (count > MAX_ROWS) {
    const message = `positions and balances: ${String(count)} rows, at most ${String(MAX_ROWS)} are taken at once`;
    throw new BackstopError('BATCH_TOO_LARGE', message);
  }
  const rows = [
    ...positions.map((each, place) => parseTold(each, 'positions', place)),
    ...balances.map((each, place) => parseTold(each, 'balances', place)),
  ];
  const told = new Set<string>();
  for (const each of rows) {
    if (told.has(nameOf(each))) refuse(row, each.field, `${nameOf(each)} is told twice`);
    told.add(nameOf(each));
  }
  const lines = rows.map((each) => `${nameOf(each)} ${each.amount.toFixed()}`);
  return { id, asOf, number, rows, digest: createHash('sha256').update(lines.join('\n')).digest('hex') };
}

type Told = SnapshotChunk['rows'][number];

/** A refusal names the row by the list that it stands in: there are two. */
function parseTold(value: unknown, list: 'positions' | 'balances', place: number): Told {
  const [subject, amount] = list === 'positions' ? (['marketId', 'size'] as const) : (['assetId', 'amount'] as const);
  const field = `${list}[${String(place)}]`;
  try {
    const row = openRow(value, ['accountId', subject, amount]);
    const told = {
      accountId: readId(row, 'accountId'),
      marketId: null,
      assetId: null,
      [subject]: readId(row, subject),
    };
    return { ...told, amount: readAmount(row, amount, 'ANY'), field };
  } catch (error) {
    if (!(error instanceof BackstopError)) throw error;
    throw new BackstopError(error.code, error.message, { field: `${field}.${error.field ?? ''}` });
  }
}

/** The first three words of its line in the digest. */
function nameOf({ accountId, marketId, assetId }: ToldRow): string {
  return marketId === null ? `BALANCE ${accountId} ${assetId ?? ''}` : `POSITION ${accountId} ${marketId}`;
}
