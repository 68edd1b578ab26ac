import { ApolloArmor } from '@escape.tech/graphql-armor';
import {
  getNamedType,
  getNullableType,
  getVariableValues,
  GraphQLError,
  isCompositeType,
  isListType,
  NoSchemaIntrospectionCustomRule,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type ParseOptions,
  type ValidationRule,
} from 'graphql';
import { getComplexity, type ComplexityEstimator } from 'graphql-query-complexity';
import { LARGEST_PAGE, USUAL_PAGE } from './connection.js';
import { refusal } from './refusal.js';

/*
 * What a document may ask for, whichever way it came: parse it by PARSE_OPTIONS, validate it by `validationRules`, then
 * `checkCost`. All three come before anything of it is executed.
 */

/** Deeper than the deepest sensible question, page after page, from a market to a leg's account. */
const DEEPEST = 12;
const MOST_TOKENS = 1000;
const MOST_ALIASES = 15;
const MOST_DIRECTIVES = 20;

/** Objects that the answer to one request may hold at most: pages within pages multiply. */
export const COST_LIMIT = 60_000;
/** Taken for the length of a list that has no pages: the markets of a venue, the positions of an account. */
const USUAL_LIST = 10;
/** Lists whose length is known. */
const LENGTHS: Readonly<Record<string, number>> = {
  'DeleverageLeg.markLater': 3,
  'AdlIndicator.toLowerLevel': 2,
  'MarketAdl.levelSizes': 5,
  'ReconciliationDifference.lastFacts': 5,
};
/** A stream tells one value after the other: each of them costs what two do. */
const VALUES_OF_STREAM = 2;
/** A mutation is a transaction. */
const COST_OF_MUTATION = 10;
/** What costs much however small its answer is. */
const COSTLY: Readonly<Record<string, number>> = {
  // Reads a whole chain.
  'Query.chainVerification': 10_000,
  // Makes a whole queue again: one a request, and none in a stream.
  'DeleverageEvent.verification': 40_000,
  // A whole round of the waterfall.
  'Mutation.jobRun': 10_000,
  'Query.deleveragePreview': 1000,
  // An account valued and searched for a place in every queue it stands in, before and after.
  'Query.marginSimulation': 1000,
  // A whole book held against another one.
  'Mutation.reconciliationFinish': 10_000,
  // A search of a queue by exact scores.
  'AdlIndicator.toLowerLevel': 20,
  // A whole book under other terms.
  'Change.impact': 1000,
};

export const PARSE_OPTIONS: ParseOptions = { maxLexicalTokens: MOST_TOKENS };

export function validationRules({ introspection }: { readonly introspection: boolean }): ValidationRule[] {
  const armor = new ApolloArmor({
    maxDepth: { n: DEEPEST, flattenFragments: true },
    maxAliases: { n: MOST_ALIASES },
    maxDirectives: { n: MOST_DIRECTIVES },
    costLimit: { enabled: false },
    blockFieldSuggestion: { enabled: false },
  }).protect();
  return [...armor.validationRules, ...(introspection ? [] : [NoSchemaIntrospectionCustomRule])];
}

/** Of a document that is valid. */
export interface Asked {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Refuses what could be answered with more objects than COST_LIMIT. */
export function checkCost(schema: GraphQLSchema, asked: Asked): void {
  const cost = costOf(schema, asked);
  if (cost <= COST_LIMIT) return;
  const figures = Number.isFinite(cost) ? { cost, limit: COST_LIMIT } : { limit: COST_LIMIT };
  const isWhat = Number.isFinite(cost) ? `costs ${cost}` : 'has too many parts to be costed';
  const message = `the request ${isWhat}; the limit is ${COST_LIMIT}: ask for smaller pages, or in several requests`;
  throw refusal('QUERY_TOO_COSTLY', message, { status: 400, figures });
}

/** Infinity: it has more parts, its fragments written out, than are worth looking at. */
export function costOf(schema: GraphQLSchema, { document, operation, variables }: Asked): number {
  const coerced = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  // The execution refuses these, with all that is wrong about them, and executes nothing.
  if (coerced.errors !== undefined) return 0;
  try {
    return getComplexity({
      schema,
      query: document,
      variables: { ...variables },
      ...(operation.name && { operationName: operation.name.value }),
      estimators: [estimate],
    });
  } catch (error) {
    if (error instanceof GraphQLError && error.message.startsWith('Query exceeds')) return Infinity;
    const message = error instanceof Error ? error.message : String(error);
    throw refusal('BAD_USER_INPUT', message, { status: 400 });
  }
}

/**
 * An object costs 1 and what is asked of it; a scalar nothing; a list that times its length, a connection that times its
 * page. The contract itself costs nothing: graphql-js bounds how it may be asked for.
 */
const estimate: ComplexityEstimator = ({ type, field, args, childComplexity }) => {
  const named = getNamedType(field.type);
  if (!isCompositeType(named) || named.name.startsWith('__')) return 0;
  // The connection's own, which has counted what is in it by its page.
  if (named.name === 'PageInfo') return 0;
  const own = COSTLY[`${type.name}.${field.name}`] ?? (type.name === 'Mutation' ? COST_OF_MUTATION : 1);
  if (named.name.endsWith('Connection')) return own + pageOf(args['first']) * childComplexity;
  const isPaged = field.name === 'edges' && type.name.endsWith('Connection');
  if (isListType(getNullableType(field.type)) && !isPaged)
    return (LENGTHS[`${type.name}.${field.name}`] ?? USUAL_LIST) * (own + childComplexity);
  return own + (type.name === 'Subscription' ? VALUES_OF_STREAM : 1) * childComplexity;
};

/** A page out of range is refused where it is read. */
function pageOf(first: unknown): number {
  if (typeof first !== 'number') return USUAL_PAGE;
  return Math.min(Math.max(first, 1), LARGEST_PAGE);
}
