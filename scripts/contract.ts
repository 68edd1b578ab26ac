import {
  BreakingChangeType,
  buildSchema,
  DangerousChangeType,
  findBreakingChanges,
  findDangerousChanges,
  getDirectiveValues,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql';

/** What could break a client that was written against the contract before, each in a sentence. */
export function breakingChanges(before: string, now: string): string[] {
  const [old, next] = [buildSchema(before), buildSchema(now)];
  return [
    ...findBreakingChanges(old, next)
      // Rules of access are compared one by one below.
      .filter(({ type }) => type !== BreakingChangeType.DIRECTIVE_REMOVED)
      .map(({ description }) => description),
    // A default that moves changes what an unchanged request means.
    ...findDangerousChanges(old, next)
      .filter(({ type }) => type === DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE)
      .map(({ description }) => description),
    ...changedRules(old, next),
  ];
}

/** A rule that is narrower shuts somebody out; one that is wider lets somebody in: neither may happen by the way. */
function changedRules(old: GraphQLSchema, next: GraphQLSchema): string[] {
  const now = rulesOf(next);
  return [...rulesOf(old)]
    .filter(([place, rule]) => now.has(place) && now.get(place) !== rule)
    .map(([place, rule]) => `Access to ${place} changed from ${rule} to ${now.get(place) ?? ''}.`);
}

/** The rule of each field: its own, else that of its type. */
function rulesOf(schema: GraphQLSchema): Map<string, string> {
  const rules = new Map<string, string>();
  for (const type of ownTypes(schema)) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      rules.set(`${type.name}.${field.name}`, ruleOf(schema, field) ?? ruleOf(schema, type) ?? 'none');
    }
  }
  return rules;
}

function ruleOf(
  schema: GraphQLSchema,
  { astNode }: Pick<GraphQLField<unknown, unknown>, 'astNode'> | GraphQLNamedType,
): string | undefined {
  const directive = schema.getDirective('access');
  if (directive == null || astNode == null) return undefined;
  return (getDirectiveValues(directive, astNode)?.['to'] as string[] | undefined)?.join(', ');
}

function ownTypes(schema: GraphQLSchema): GraphQLNamedType[] {
  return Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
}

const PASCAL = /^[A-Z][A-Za-z0-9]*$/;
const CAMEL = /^[a-z][A-Za-z0-9]*$/;
const UPPER = /^[A-Z][A-Z0-9_]*$/;

/** Where the contract does not keep its own manners: names, one input and one payload a mutation, pages. */
export function mannersBroken(text: string): string[] {
  const schema = buildSchema(text);
  const types = ownTypes(schema);
  return [...types.flatMap(namesOf), ...types.flatMap(pagesOf), ...mutationsOf(schema)];
}

function namesOf(type: GraphQLNamedType): string[] {
  const wrong = PASCAL.test(type.name) ? [] : [`${type.name} is not in PascalCase.`];
  if (isEnumType(type)) {
    const values = type.getValues().filter(({ name }) => !UPPER.test(name));
    return [...wrong, ...values.map(({ name }) => `${type.name}.${name} is not in upper case.`)];
  }
  if (isInputObjectType(type) && !/(Input|Filter)$/.test(type.name))
    wrong.push(`${type.name} does not end with Input or Filter.`);
  if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return wrong;
  const fields = Object.keys(type.getFields()).filter((name) => !CAMEL.test(name));
  return [...wrong, ...fields.map((name) => `${type.name}.${name} is not in camelCase.`)];
}

function pagesOf(type: GraphQLNamedType): string[] {
  if (!isObjectType(type)) return [];
  return Object.values(type.getFields())
    .filter((field) => getNamedType(field.type).name.endsWith('Connection'))
    .filter(({ args }) => !['first', 'after'].every((name) => args.some((arg) => arg.name === name)))
    .map(({ name }) => `${type.name}.${name} is a connection without first and after.`);
}

function mutationsOf(schema: GraphQLSchema): string[] {
  return Object.values(schema.getMutationType()?.getFields() ?? {}).flatMap(({ name, args, type }) => {
    const wrong: string[] = [];
    const takes = args.map((arg) => `${arg.name}: ${String(arg.type)}`).join(', ');
    if (!/^input: \w+!$/.test(takes)) wrong.push(`Mutation.${name} does not take one input.`);
    const payload = schema.getType(String(type).replace(/[[\]!]/g, ''));
    const hasErrors = isObjectType(payload) && String(payload.getFields()['userErrors']?.type) === '[UserError!]!';
    if (!hasErrors || !payload.name.endsWith('Payload'))
      wrong.push(`Mutation.${name} returns no payload with userErrors.`);
    return wrong;
  });
}
