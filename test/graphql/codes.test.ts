import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ApolloServerErrorCode } from '@apollo/server/errors';
import { describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../src/config.js';
import { ERROR_CODES, isCode, REQUEST_CODES } from '../../src/errors.js';
import { readSources } from '../support/source-files.js';

const sources = readSources('src').filter(({ name }) => !name.startsWith('src/generated/'));
const outsideTheList = sources.filter(({ name }) => name !== 'src/errors.ts');
const docs = readFileSync(path.join(packageRoot, 'docs/errors.md'), 'utf8');
const known = [...Object.keys(ERROR_CODES), ...Object.keys(REQUEST_CODES)];
/** Apollo's words for a fault, which is masked, and for stored documents, which are switched off. */
const NEVER_TOLD = ['INTERNAL_SERVER_ERROR', 'PERSISTED_QUERY_NOT_FOUND'];

describe('the list of codes', () => {
  it('is the one in the docs, in both directions', () => {
    const documented = [...docs.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
    expect(documented).toEqual(known);
    expect(new Set(known).size).toBe(known.length);
  });

  it('has every code that is made, and Apollo’s', () => {
    const making = /(?:refusal|BackstopError)\(\s*'([A-Z_]+)'|extensions: \{ code: '([A-Z_]+)'/g;
    const made = sources.flatMap(({ name, code }) =>
      [...code.matchAll(making)].map(([, one, other]) => `${name} ${one ?? other ?? ''}`),
    );
    expect(made.length).toBeGreaterThan(50);
    expect(made.filter((one) => !isCode(one.split(' ')[1]))).toEqual([]);
    expect(Object.values(ApolloServerErrorCode).filter((code) => !isCode(code))).toEqual(NEVER_TOLD);
  });

  it('has no code that nobody makes', () => {
    const apollo: readonly string[] = Object.values(ApolloServerErrorCode);
    const unused = known.filter(
      (code) => !apollo.includes(code) && !outsideTheList.some((one) => one.code.includes(`'${code}'`)),
    );
    expect(unused).toEqual([]);
  });

  it('cannot be passed by: there is one way to make a top-level error', () => {
    const makers = sources.filter(({ code }) => /(new|extends) GraphQLError\b/.test(code)).map(({ name }) => name);
    // A scalar refuses a value before any resolver of ours is asked.
    expect(makers).toEqual(['src/graphql/refusal.ts', 'src/graphql/scalars.ts']);
  });
});
