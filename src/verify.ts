import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { CHAINS, sealChains, verifyChain, type Chain, type ChainHead, type VerifiedChain } from './db/chains.js';
import type { Sql } from './db/connect.js';
import { readClock } from './db/record-notice.js';
import { BackstopError, messageOf } from './errors.js';
import type { Instant } from './risk/instant.js';

export interface VerifyOptions {
  /** Only this one. */
  readonly chain?: string | undefined;
  /** File with heads that were exported before. */
  readonly head?: string | undefined;
}

export interface Verified {
  readonly at: Instant;
  readonly chains: readonly VerifiedChain[];
  readonly isWhole: boolean;
}

const headsFile = z.object({
  at: z.string(),
  heads: z.array(
    z.object({
      chain: z.enum(CHAINS),
      sequence: z.string().regex(/^\d{1,18}$/),
      hash: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

/** Seals what waits, then recomputes each chain and holds it against the exported head, if there is one. */
export async function verifyChains(sql: Sql, options: VerifyOptions = {}): Promise<Verified> {
  const asked = options.chain === undefined ? CHAINS : [parseChain(options.chain)];
  const heads = options.head === undefined ? [] : await readHeads(options.head);
  const missing =
    options.head === undefined ? undefined : asked.find((name) => !heads.some(({ chain }) => chain === name));
  if (missing !== undefined) throw new BackstopError('BAD_INPUT', `${options.head ?? ''} has no head of ${missing}.`);
  await sealChains(sql);
  const chains: VerifiedChain[] = [];
  for (const name of asked)
    chains.push(await verifyChain(sql, name, heads.find(({ chain }) => chain === name) ?? null));
  return { at: await readClock(sql), chains, isWhole: chains.every(({ reason }) => reason === null) };
}

function parseChain(text: string): Chain {
  const chain = CHAINS.find((name) => name === text);
  if (chain === undefined)
    throw new BackstopError('BAD_INPUT', `There is no chain ${text}; there is: ${CHAINS.join(', ')}.`);
  return chain;
}

async function readHeads(file: string): Promise<ChainHead[]> {
  try {
    return headsFile.parse(JSON.parse(await readFile(file, 'utf8'))).heads;
  } catch (error) {
    const why = error instanceof z.ZodError ? 'it is no export of heads' : messageOf(error);
    throw new BackstopError('BAD_INPUT', `${file} cannot be read: ${why}.`, { cause: error });
  }
}

/** One line a chain. */
export function tellVerified({ chains }: Verified): string {
  return chains.map((chain) => `${tellChain(chain)}\n`).join('');
}

function tellChain({
  chain,
  links,
  headSequence,
  headHash,
  pending,
  pendingSince,
  badSequence,
  badRow,
  reason,
}: VerifiedChain): string {
  const waiting = pendingSince === null ? '' : `; ${pending} not sealed yet, the oldest since ${pendingSince}`;
  if (reason === null) return `${chain} whole: ${links} links, head ${headSequence} ${headHash}${waiting}`;
  const row = badRow === null ? '' : `, row ${badRow}`;
  return `${chain} BROKEN at sequence ${badSequence ?? ''}: ${reason}${row}; ${links} links, head ${headSequence} ${headHash}${waiting}`;
}

/** Where the chains end, to be kept where whoever can change this database cannot. */
export async function exportHeads(
  { at, chains, isWhole }: Verified,
  write: (text: string) => Promise<unknown>,
): Promise<void> {
  if (!isWhole) throw new BackstopError('CONFLICT', 'The heads of a broken chain are not exported.');
  const heads = chains.map(({ chain, headSequence: sequence, headHash: hash }): ChainHead => ({
    chain,
    sequence,
    hash,
  }));
  await write(`${JSON.stringify({ at, heads }, null, 2)}\n`);
}

/** Never over another one: each is evidence of its day. */
export async function writeNewFile(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx' }).catch((error: unknown) => {
    throw new BackstopError('CONFLICT', `${file} cannot be written: ${messageOf(error)}.`, { cause: error });
  });
}
