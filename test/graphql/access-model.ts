import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Kind, parse, type ConstDirectiveNode, type FieldDefinitionNode, type ObjectTypeDefinitionNode } from 'graphql';
import type { Scope } from '../../src/access/caller.js';
import { packageRoot } from '../../src/config.js';

/** The rules as schema.graphql states them, read by themselves: what a test holds the server against. */
const document = parse(readFileSync(path.join(packageRoot, 'schema.graphql'), 'utf8'));

export const types: ReadonlyMap<string, ObjectTypeDefinitionNode> = new Map(
  document.definitions.filter((one) => one.kind === Kind.OBJECT_TYPE_DEFINITION).map((one) => [one.name.value, one]),
);

export function typeOf(name: string): ObjectTypeDefinitionNode {
  const type = types.get(name);
  if (type === undefined) throw new Error(`no type ${name}`);
  return type;
}

export function fieldOf(typeName: string, name: string): FieldDefinitionNode {
  const field = typeOf(typeName).fields?.find((one) => one.name.value === name);
  if (field === undefined) throw new Error(`no field ${typeName}.${name}`);
  return field;
}

export interface FieldType {
  readonly name: string;
  readonly isList: boolean;
  readonly mayBeNull: boolean;
}

export function fieldType({ type }: FieldDefinitionNode): FieldType {
  const mayBeNull = type.kind !== Kind.NON_NULL_TYPE;
  let [at, isList] = [type, false];
  while (at.kind !== Kind.NAMED_TYPE) {
    isList ||= at.kind === Kind.LIST_TYPE;
    at = at.type;
  }
  return { name: at.name.value, isList, mayBeNull };
}

/** How often @access stands there, and what it says. */
export function stated({
  directives,
}: {
  readonly directives?: readonly ConstDirectiveNode[] | undefined;
}): string[][] {
  return (directives ?? [])
    .filter(({ name }) => name.value === 'access')
    .map(({ arguments: args }) => {
      const value = args?.[0]?.value;
      const all = value?.kind === Kind.LIST ? value.values : value === undefined ? [] : [value];
      return all.map((one) => (one.kind === Kind.ENUM ? one.value : ''));
    });
}

export interface Role {
  readonly name: string;
  /** Null: comes without a token. */
  readonly scopes: readonly Scope[] | null;
  readonly trader?: string;
}

export const ROLES: readonly Role[] = [
  { name: 'anonymous', scopes: null },
  { name: 'trader', scopes: ['read:account'], trader: 'bob' },
  { name: 'another trader', scopes: ['read:account'], trader: 'zoe' },
  { name: 'trader without the scope', scopes: [], trader: 'bob' },
  { name: 'account scope without a trader', scopes: ['read:account'] },
  { name: 'risk desk', scopes: ['read:risk'] },
  { name: 'auditor', scopes: ['read:audit'] },
  { name: 'feed', scopes: ['write:feed'] },
  { name: 'admin', scopes: ['write:admin'] },
  { name: 'approver', scopes: ['approve:admin'] },
];

export type Outcome = 'ANSWER' | 'NULL' | 'FORBIDDEN';

/** Whose an object is. */
export interface Owned {
  readonly owners: readonly string[];
  readonly isOfFund?: boolean;
}

const SCOPES: Readonly<Record<string, Scope>> = {
  READ_RISK: 'read:risk',
  READ_AUDIT: 'read:audit',
  WRITE_FEED: 'write:feed',
  WRITE_ADMIN: 'write:admin',
  APPROVE_ADMIN: 'approve:admin',
};

function meets(rules: readonly string[], { scopes, trader = '' }: Role, { owners, isOfFund = false }: Owned): boolean {
  const has = (scope: Scope): boolean => scopes?.includes(scope) === true;
  return rules.some((rule) => {
    if (rule === 'PUBLIC' || rule === 'AS_PARENT') return true;
    if (rule === 'OF_FUND') return isOfFund;
    if (rule === 'OWN') return has('read:risk') || (has('read:account') && owners.includes(trader));
    return has(SCOPES[rule] ?? fail(rule));
  });
}

function fail(rule: string): never {
  throw new Error(`the test does not know the rule ${rule}`);
}

/** What comes of asking for a field of an object that the role sees: `source` is that object, `target` what it returns. */
export function outcomeOf(typeName: string, name: string, role: Role, source: Owned, target: Owned): Outcome {
  const field = fieldOf(typeName, name);
  const { name: returned, isList, mayBeNull } = fieldType(field);
  const [own] = stated(field);
  if (own !== undefined && !meets(own, role, source)) return own.includes('OWN') && mayBeNull ? 'NULL' : 'FORBIDDEN';
  const [ofType] = types.has(returned) ? stated(typeOf(returned)) : [];
  if (ofType === undefined || meets(ofType, role, target)) return 'ANSWER';
  return isList || mayBeNull ? 'NULL' : 'FORBIDDEN';
}
