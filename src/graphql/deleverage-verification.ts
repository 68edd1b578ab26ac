import { readEventInputs } from '../db/read-event-inputs.js';
import { inTransaction } from '../db/transaction.js';
import { verifyEvent, type VerifiedPart } from '../engine/verify-event.js';
import type { DeleverageVerificationPartResolvers, DeleverageVerificationResolvers } from '../generated/graphql.js';
import type { Context } from './context.js';
import { refusal } from './refusal.js';

/** All of its parts. */
export type VerificationSource = readonly VerifiedPart[];

/** Holders of its market, ever, whose queue is made again without a pause, while this process answers nobody else. */
const MOST_HOLDERS = 5000;

export async function verifyEventHere(eventId: string, { sql }: Context): Promise<VerificationSource> {
  const inputs = await inTransaction(sql, { isolation: 'repeatable read', readOnly: true }, (tx) =>
    readEventInputs(tx, eventId),
  );
  if (inputs === undefined) throw new Error(`no event ${eventId}`);
  const holders = inputs.atStart.length;
  if (holders > MOST_HOLDERS) {
    const message = `the market was held by ${String(holders)} accounts, of which the limit here is ${String(MOST_HOLDERS)}: backstop explain ${eventId} --verify`;
    throw refusal('QUERY_TOO_COSTLY', message, { figures: { limit: MOST_HOLDERS } });
  }
  return verifyEvent(inputs);
}

export const deleverageVerificationResolvers: DeleverageVerificationResolvers = {
  isWhole: (parts) => parts.every(({ differences }) => differences.length === 0),
  parts: (parts) => [...parts],
};

export const deleverageVerificationPartResolvers: DeleverageVerificationPartResolvers = {
  differing: ({ differences }) => differences.length,
  firstDifference: ({ differences }) => differences[0] ?? null,
};
