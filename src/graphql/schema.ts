import { existsSync, readFileSync } from 'node:fs';
import { makeExecutableSchema } from '@graphql-tools/schema';
import type { GraphQLSchema } from 'graphql';
import { keepAccessRules } from './access-rules.js';
import { resolvers } from './resolvers.js';

/** Beside package.json, seen from src/graphql and from the build's dist/src/graphql. */
const PLACES = ['../../schema.graphql', '../../../schema.graphql'];

/** The contract with its resolvers, keeping its rules of access; a resolver that the contract does not know is refused. */
export function loadSchema(): GraphQLSchema {
  const file = PLACES.map((place) => new URL(place, import.meta.url)).find((url) => existsSync(url));
  if (file === undefined) throw new Error('schema.graphql is missing');
  const schema = makeExecutableSchema({
    typeDefs: readFileSync(file, 'utf8'),
    resolvers,
    resolverValidationOptions: { requireResolversToMatchSchema: 'error' },
  });
  // A scalar's resolver takes the place of its whole type, description and all.
  for (const type of Object.values(schema.getTypeMap())) type.description ??= type.astNode?.description?.value;
  keepAccessRules(schema);
  return schema;
}
