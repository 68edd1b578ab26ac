import {
  BreakingChangeType,
  buildSchema,
  DangerousChangeType,
  findBreakingChanges,
  findDangerousChanges,
  getDirectiveValues,
  getNullableType,
  isNonNullType,
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

/** Mutations that are made otherwise than the others: one input that must be there, and a payload with userErrors. */
export function mutationsAmiss(text: string): string[] {
  const schema = buildSchema(text);
  return Object.values(schema.getMutationType()?.getFields() ?? {}).flatMap(({ name, args, type }) => {
    const wrong: string[] = [];
    if (args.length !== 1 || args.some((arg) => !isNonNullType(arg.type)))
      wrong.push(`Mutation.${name} does not take one input.`);
    const payload = getNullableType(type);
    const hasErrors = isObjectType(payload) && String(payload.getFields()['userErrors']?.type) === '[UserError!]!';
    if (!hasErrors || !payload.name.endsWith('Payload'))
      wrong.push(`Mutation.${name} returns no payload with userErrors.`);
    return wrong;
  });
}
