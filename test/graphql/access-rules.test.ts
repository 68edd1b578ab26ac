import { describe, expect, it } from '@jest/globals';
import { buildSchema } from 'graphql';
import { keepAccessRules } from '../../src/graphql/access-rules.js';

const DIRECTIVE = `directive @access(to: [AccessRule!]!) on OBJECT | FIELD_DEFINITION
  enum AccessRule { PUBLIC AS_PARENT OWN READ_RISK }
  interface Node { id: ID! }`;

describe('rules that cannot be kept', () => {
  it.each([
    ['type Query { a: Int }', 'Query.a has no rule of access'],
    ['type Query { a: Int @access(to: []) }', 'Query.a has no rule of access'],
    ['type Query { a: A @access(to: PUBLIC) } type A { b: Int }', 'A.b has no rule of access'],
    ['type Query { a: Int @access(to: AS_PARENT) }', 'a Query is found by itself, so no parent can rule over a'],
    [
      'type Query { a: A @access(to: PUBLIC) } type A implements Node @access(to: AS_PARENT) { id: ID! }',
      'a A is found by itself, so no parent can rule over id',
    ],
    [
      'type Query { a: A @access(to: PUBLIC) } type A @access(to: OWN) { b: Int }',
      'nobody can own a A, so b cannot be ruled by it',
    ],
  ])('stop the start: %s', (types, reason) => {
    expect(() => {
      keepAccessRules(buildSchema(`${DIRECTIVE} ${types}`));
    }).toThrow(reason);
  });

  it('do not stop what can', () => {
    const schema = buildSchema(
      `${DIRECTIVE} type Query { a: A @access(to: READ_RISK) } type A @access(to: AS_PARENT) { b: Int }`,
    );
    expect(() => {
      keepAccessRules(schema);
    }).not.toThrow();
  });
});
