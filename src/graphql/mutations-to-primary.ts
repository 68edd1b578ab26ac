import type { ApolloServerPlugin } from '@apollo/server';
import { OperationTypeNode } from 'graphql';
import { turnToPrimary, type Context } from './context.js';

/** Where queries are answered from a standby: once the operation is known, and before anything of it is read. */
export const mutationsToPrimary: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation: ({ operation, contextValue }) => {
        if (operation?.operation === OperationTypeNode.MUTATION) turnToPrimary(contextValue);
        return Promise.resolve();
      },
    }),
};
