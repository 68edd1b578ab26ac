import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { breakingChanges, mannersBroken } from '../../scripts/contract.js';
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
    expect(mannersBroken(read('schema.graphql'))).toEqual([]);
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

  it('has manners, and would be told of a breach of them', () => {
    const bad = `
      type Query { some_thing: thing connection: XConnection }
      type thing { id: ID }
      type XConnection { edges: [ID] }
      enum Kind { lower }
      input Wrong { kind: Kind }
      type Mutation { act(a: Int): XConnection }`;
    expect(mannersBroken(bad)).toEqual([
      'Query.some_thing is not in camelCase.',
      'thing is not in PascalCase.',
      'Kind.lower is not in upper case.',
      'Wrong does not end with Input or Filter.',
      'Query.connection is a connection without first and after.',
      'Mutation.act is a connection without first and after.',
      'Mutation.act does not take one input.',
      'Mutation.act returns no payload with userErrors.',
    ]);
  });
});
