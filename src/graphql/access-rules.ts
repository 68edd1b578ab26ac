import {
  defaultFieldResolver,
  getDirectiveValues,
  getNamedType,
  isAbstractType,
  isNonNullType,
  isObjectType,
  type GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';
import { allows, type Caller, type Scope } from '../access/caller.js';
import type { AccessRule } from '../generated/graphql.js';
import type { Context } from './context.js';
import { canBeOwned, isOfFund, isOwn } from './ownership.js';
import { refusal } from './refusal.js';

/** Any one of them is enough. */
type Rules = readonly AccessRule[];
type Field = GraphQLField<unknown, Context>;

const SCOPE_OF: Readonly<Partial<Record<AccessRule, Scope>>> = {
  READ_RISK: 'read:risk',
  READ_AUDIT: 'read:audit',
  WRITE_FEED: 'write:feed',
  WRITE_ADMIN: 'write:admin',
  APPROVE_ADMIN: 'approve:admin',
};

/**
 * Makes the schema keep the rules that it states, in two places. An object of a type with a rule is judged where it comes out
 * of a resolver: to whoever may not see it, it is not there. A field with a rule is judged before its resolver. What is a part
 * of an object (AS_PARENT) needs no look of its own.
 */
export function keepAccessRules(schema: GraphQLSchema): void {
  for (const type of objectTypes(schema)) {
    tellRule(schema, type);
    for (const field of fieldsOf(type)) {
      checkRule(schema, type, field);
      keepRule(schema, type, field);
      if (type === schema.getSubscriptionType()) keepRuleOfStart(schema, type, field);
      tellRule(schema, field);
    }
  }
}

/** The rule of a field: its own, else that of its type. */
function rulesOfField(schema: GraphQLSchema, type: GraphQLObjectType, field: Field): Rules {
  const rules = statedRules(schema, field) ?? statedRules(schema, type);
  if (rules === undefined || rules.length === 0) throw new Error(`${type.name}.${field.name} has no rule of access`);
  return rules;
}

function statedRules(schema: GraphQLSchema, { astNode }: GraphQLObjectType | Field): Rules | undefined {
  const directive = schema.getDirective('access');
  if (directive == null || astNode == null) return undefined;
  return getDirectiveValues(directive, astNode)?.['to'] as Rules | undefined;
}

function objectTypes(schema: GraphQLSchema): GraphQLObjectType[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .filter(({ name }) => !name.startsWith('__'));
}

function fieldsOf(type: GraphQLObjectType): Field[] {
  return Object.values(type.getFields()) as Field[];
}

/** What could be stated and not be kept is refused when the schema is loaded. */
function checkRule(schema: GraphQLSchema, type: GraphQLObjectType, field: Field): void {
  const rules = rulesOfField(schema, type, field);
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  if (rules.includes('AS_PARENT') && (roots.includes(type) || type.getInterfaces().length > 0))
    throw new Error(`a ${type.name} is found by itself, so no parent can rule over ${field.name}`);
  if (rules.includes('OWN') && !canBeOwned(type.name))
    throw new Error(`nobody can own a ${type.name}, so ${field.name} cannot be ruled by it`);
}

/** Introspection shows no directives: who reads the contract there finds the rule in the description. */
function tellRule(schema: GraphQLSchema, place: GraphQLObjectType | Field): void {
  const rules = statedRules(schema, place);
  if (rules !== undefined && !isOpen(rules))
    place.description = `${place.description ?? ''} Access: ${rules.join(', ')}.`;
}

function keepRule(schema: GraphQLSchema, type: GraphQLObjectType, field: Field): void {
  const rules = statedRules(schema, field) ?? ['AS_PARENT'];
  const kindOf = guardedKind(schema, field);
  const isFree = isOpen(rules);
  if (isFree && kindOf === null) return;
  const { resolve = defaultFieldResolver } = field;
  const mayBeNull = !isNonNullType(field.type);
  const refuse = (unmet: Rules): null => {
    // What is another's answers as what is not there; where nothing may be missing the caller is told.
    if (mayBeNull && unmet.includes('OWN')) return null;
    throw forbidden(`${type.name}.${field.name}`, unmet);
  };
  const show = (value: unknown, context: Context): unknown =>
    kindOf === null ? value : visible(value, context, kindOf, (unmet) => (mayBeNull ? null : refuse(unmet)));
  field.resolve = (source, args, context, info) => {
    const answer = (may: boolean): unknown =>
      may ? after(resolve(source, args, context, info), (value) => show(value, context)) : refuse(rules);
    return isFree ? answer(true) : after(meets({ typeName: type.name, rules }, source, context), answer);
  };
}

/** A stream is judged before it begins; each of its values is an object of its own and judged as one. */
function keepRuleOfStart(schema: GraphQLSchema, type: GraphQLObjectType, field: Field): void {
  const rules = rulesOfField(schema, type, field);
  const { subscribe } = field;
  if (subscribe === undefined || isOpen(rules)) return;
  field.subscribe = (source, args, context, info) =>
    after(meets({ typeName: type.name, rules }, source, context), (may): unknown => {
      if (!may) throw forbidden(`${type.name}.${field.name}`, rules);
      return subscribe(source, args, context, info);
    });
}

function isOpen(rules: Rules): boolean {
  return rules.includes('PUBLIC') || rules.includes('AS_PARENT');
}

/** What an object is, and who may see it. */
interface Kind {
  readonly typeName: string;
  readonly rules: Rules;
}

/** Tells the kind of what a field returns. Null: whatever it returns needs no look. */
function guardedKind(schema: GraphQLSchema, field: Field): ((object: unknown) => Kind) | null {
  const type = getNamedType(field.type);
  if (isAbstractType(type)) {
    const kinds = new Map(schema.getPossibleTypes(type).map((each) => [each.name, kindOfType(schema, each)]));
    return (object) => {
      const { __typename: typeName } = object as { readonly __typename: string };
      return kinds.get(typeName) ?? { typeName, rules: [] };
    };
  }
  if (!isObjectType(type)) return null;
  const kind = kindOfType(schema, type);
  return isOpen(kind.rules) ? null : () => kind;
}

function kindOfType(schema: GraphQLSchema, type: GraphQLObjectType): Kind {
  return { typeName: type.name, rules: statedRules(schema, type) ?? ['AS_PARENT'] };
}

/** Of a list those that may be seen; of one object itself, or what `hide` gives. */
function visible(
  value: unknown,
  context: Context,
  kindOf: (object: unknown) => Kind,
  hide: (unmet: Rules) => null,
): unknown {
  if (value === null || value === undefined) return value;
  if (Array.isArray(value)) {
    const answers = value.map((one: unknown) => meets(kindOf(one), one, context));
    return answers.every((answer) => answer === true) ? value : onlyThose(value, answers);
  }
  const kind = kindOf(value);
  return after(meets(kind, value, context), (may) => (may ? value : hide(kind.rules)));
}

async function onlyThose(all: readonly unknown[], answers: readonly Answer[]): Promise<unknown[]> {
  const may = await Promise.all(answers.map((answer) => Promise.resolve(answer)));
  return all.filter((_one, k) => may[k]);
}

type Answer = boolean | Promise<boolean>;

/** Whether the caller meets one of the rules, those first that need no look at the object. */
function meets({ typeName, rules }: Kind, object: unknown, context: Context): Answer {
  if (isOpen(rules) || rules.some((rule) => meetsByScope(rule, context.caller))) return true;
  const own = rules.includes('OWN') && isOwn(typeName, object, context);
  return after(own, (isIt): Answer => isIt || (rules.includes('OF_FUND') && isOfFund(object, context)));
}

function meetsByScope(rule: AccessRule, caller: Caller): boolean {
  if (rule === 'OWN') return allows(caller, 'read:risk');
  const scope = SCOPE_OF[rule];
  return scope !== undefined && allows(caller, scope);
}

/** Without a promise where there is none: most fields of most answers are. */
function after<T, U>(value: T | PromiseLike<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return isPromise(value) ? Promise.resolve(value).then(next) : next(value);
}

/** By shape: a database client's promises are of its own making. */
function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

function forbidden(place: string, rules: Rules): GraphQLError {
  const scopes = rules.flatMap((rule) => (rule === 'OWN' ? 'read:account' : (SCOPE_OF[rule] ?? [])));
  return refusal('FORBIDDEN', `${place} needs a token with ${scopes.join(' or ')}`);
}
