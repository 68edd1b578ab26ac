import type { ApolloServerPlugin } from '@apollo/server';
import type { Context } from './context.js';
import { checkCost } from './request-limits.js';

/** Before anything of the request is read. */
export const costLimit: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation: ({ schema, document, operation, request }) => {
        if (operation != null) checkCost(schema, { document, operation, variables: request.variables ?? {} });
        return Promise.resolve();
      },
    }),
};
