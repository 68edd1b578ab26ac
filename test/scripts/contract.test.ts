import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { breakingChanges, mutationsAmiss } from '../../scripts/contract.js';
import { packageRoot } from '../../src/config.js';

const read = (file: string): string => readFileSync(path.join(packageRoot, file), 'utf8');
const promised = read('docs/contract.graphql');

/** The contract with one change in it, which must be there to be made. */
function changed(from: string, to: string): string {
  expect(promised).toContain(from);
  return promised.replace(from, to);
}

describe('the contract that clients were promised', () => {
  it('is kept', () => {
    expect(breakingChanges(promised, read('schema.graphql'))).toEqual([]);
  });

  it.each<[from: string, to: string, fault: RegExp]>([
    ['  outcomeDigest: String\n', '  digest: String\n', /outcomeDigest was removed/],
    ['  outcomeDigest: String\n', '  outcomeDigest: Int\n', /changed type from String to Int/],
    [
      '  name: String!\n  "True: the same round',
      '  name: String!\n  "Needed."\n  extra: String!\n  "True: the same round',
      /required field extra on input type JobRunInput was added/,
    ],
    ['  dryRun: Boolean = false\n', '  dry: Boolean = false\n', /dryRun was removed/],
    ['  PAUSED\n}', '  RESTING\n}', /PAUSED was removed/],
    ['first: Int = 20', 'first: Int = 50', /first has changed defaultValue from 20 to 50/],
    [
      'FeedPayload! @access(to: WRITE_FEED)',
      'FeedPayload! @access(to: PUBLIC)',
      /Access to Mutation\.pricesRecord changed from WRITE_FEED to PUBLIC/,
    ],
  ])('is broken by taking %j for %j', (from, to, fault) => {
    const faults = breakingChanges(promised, changed(from, to));
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  it('is not broken by what is new, or said in other words', () => {
    const more = changed(
      '  outcomeDigest: String\n',
      '  outcomeDigest: String\n  "New; null: old."\n  another: String\n',
    );
    expect(breakingChanges(promised, more)).toEqual([]);
    expect(breakingChanges(promised, changed('"A batch of prices."', '"Prices."'))).toEqual([]);
  });

  it('has mutations of one make', () => {
    const bad = `
      type Query { thing: ID }
      type Thing { id: ID }
      input In { a: Int }
      type Mutation { act(input: In): Thing do(input: In!, and: Int): Int }`;
    expect(mutationsAmiss(bad)).toEqual([
      'Mutation.act does not take one input.',
      'Mutation.act returns no payload with userErrors.',
      'Mutation.do does not take one input.',
      'Mutation.do returns no payload with userErrors.',
    ]);
    expect(mutationsAmiss(read('schema.graphql'))).toEqual([]);
  });
});

describe('npm run schema:check', () => {
  const check = promisify(execFile);
  const run = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    check(process.execPath, ['--import', 'tsx', 'scripts/schema-check.ts', ...args], { cwd: packageRoot });

  it('finds nothing amiss', async () => {
    expect(await run()).toEqual({ stdout: 'The contract is kept.\n', stderr: '' });
  });

  it('fails for a breaking change, and for each breach of manners', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'backstop-contract-'));
    const file = path.join(folder, 'schema.graphql');
    const more = `
      type Alone { id: ID! snake_case: Int }
      extend type Query {
        "Pages without an end."
        pages: AssetConnection
        "Old."
        gone: Int @deprecated
      }
      "Assets."
      type AssetConnection { "All." edges: [Asset] }
      "Wrongly named." input Wrong { "One." one: Other }
      "Lower." enum Other { "one" one }
      extend type Mutation { "Counts." count(other: Wrong!): Int }`;
    await writeFile(file, `${changed('  outcomeDigest: String\n', '  digest: String\n')}${more}`);
    const failure = await run(file).catch((error: unknown) => error as { code: number; stderr: string });
    await rm(folder, { recursive: true });
    const { code, stderr } = failure as { code: number; stderr: string };
    expect(code).toBe(1);
    for (const fault of [
      /JobRunPayload\.outcomeDigest was removed/,
      /`Alone` is unreachable/,
      /Description is required for type "Alone"/,
      /"snake_case" should be in camelCase/,
      /"Wrong" should contain the required pattern/,
      /"one" should be in UPPER_CASE/,
      /"other" should be named "input"/,
      /scalar result type `Int` for field "count"/,
      /reason is required for field "gone"/,
      /must contain a field `pageInfo`/,
      /must include forward pagination arguments/,
      /Edge type must have "Edge" suffix/,
      /Mutation\.count returns no payload with userErrors/,
    ])
      expect(stderr).toMatch(fault);
  });
});
