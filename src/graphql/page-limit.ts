import type { ApolloServerPlugin } from '@apollo/server';
import { GraphQLError, Kind, type DocumentNode, type FieldNode, type SelectionSetNode } from 'graphql';
import { LARGEST_PAGE, USUAL_PAGE } from './connection.js';
import type { Context } from './context.js';

/** Edges that one request may be answered with at most: pages within pages multiply. */
const MOST_EDGES = 20_000;

type Variables = Readonly<Record<string, unknown>>;

/** Refuses a request that could be answered with more edges than that, before any of it is read. */
export const pageLimit: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation: ({ document, operation, request }) => {
        const edges = countEdges(operation?.selectionSet, document, request.variables ?? {});
        if (edges > MOST_EDGES) {
          const message = `the request could be answered with ${edges} edges; the limit is ${MOST_EDGES}`;
          throw new GraphQLError(message, { extensions: { code: 'TOO_MANY_EDGES', http: { status: 400 } } });
        }
        return Promise.resolve();
      },
    }),
};

/** Validation has refused fragments that contain themselves. */
function countEdges(selections: SelectionSetNode | undefined, document: DocumentNode, variables: Variables): number {
  let edges = 0;
  for (const selection of selections?.selections ?? []) {
    if (selection.kind === Kind.FIELD) {
      const inside = countEdges(selection.selectionSet, document, variables);
      const page = pageOf(selection, variables);
      edges += page === null ? inside : page * (1 + inside);
    } else if (selection.kind === Kind.INLINE_FRAGMENT) {
      edges += countEdges(selection.selectionSet, document, variables);
    } else {
      const fragment = document.definitions.find(
        (d) => d.kind === Kind.FRAGMENT_DEFINITION && d.name.value === selection.name.value,
      );
      if (fragment?.kind === Kind.FRAGMENT_DEFINITION) edges += countEdges(fragment.selectionSet, document, variables);
    }
  }
  return edges;
}

/** Null: not a field with pages. A variable without a value counts as the largest page; what is malformed is refused where it is read. */
function pageOf({ name, arguments: args, selectionSet }: FieldNode, variables: Variables): number | null {
  const isConnection = args?.some((arg) => arg.name.value === 'first' || arg.name.value === 'after') === true;
  const hasEdges = selectionSet?.selections.some((s) => s.kind === Kind.FIELD && s.name.value === 'edges') === true;
  if (name.value === 'edges' || !(isConnection || hasEdges)) return null;
  const first = args?.find((arg) => arg.name.value === 'first')?.value;
  const asked =
    first?.kind === Kind.VARIABLE
      ? variables[first.name.value]
      : first?.kind === Kind.INT
        ? Number.parseInt(first.value, 10)
        : undefined;
  return Math.min(
    typeof asked === 'number' ? asked : first?.kind === Kind.VARIABLE ? LARGEST_PAGE : USUAL_PAGE,
    LARGEST_PAGE,
  );
}
