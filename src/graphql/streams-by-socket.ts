import type { ApolloServerPlugin } from '@apollo/server';
import { OperationTypeNode } from 'graphql';
import type { Context } from './context.js';
import { refusal } from './refusal.js';

const MESSAGE = 'a subscription is answered over a WebSocket at this address (graphql-transport-ws), not over HTTP';

/** Apollo would run it as a query, whose fields have nobody to answer them. */
export const streamsBySocket: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation: ({ operation }) => {
        if (operation?.operation === OperationTypeNode.SUBSCRIPTION)
          throw refusal('BAD_REQUEST', MESSAGE, { status: 400 });
        return Promise.resolve();
      },
    }),
};
