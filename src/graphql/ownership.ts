import { allows, ownTrader } from '../access/caller.js';
import type { Context } from './context.js';

/** Finds the trader that an object belongs to, or whether it belongs to this one. */
type Owner = (source: never, traderId: string, context: Context) => boolean | Promise<boolean>;

const byAccount: Owner = ({ accountId }: { readonly accountId: string }, traderId, context) =>
  isAccountOf(accountId, traderId, context);

/** Of every type with objects that can be somebody's own. */
const OWNERS: Readonly<Record<string, Owner>> = {
  Account: ({ id }: { readonly id: string }, traderId, context) => isAccountOf(id, traderId, context),
  Trader: ({ id }: { readonly id: string }, traderId) => id === traderId,
  Position: byAccount,
  LedgerEntry: byAccount,
  MarginCall: byAccount,
  Liquidation: byAccount,
  DeleverageLeg: byAccount,
  MarginSimulation: byAccount,
  // Of the bankrupt and of every counterparty: each may know why.
  DeleverageEvent: ({ id }: { readonly id: string }, traderId, { loaders }) =>
    loaders.isPartyOf.load({ eventId: id, traderId }),
};

export function canBeOwned(typeName: string): boolean {
  return Object.hasOwn(OWNERS, typeName);
}

export function isOwn(typeName: string, source: unknown, context: Context): boolean | Promise<boolean> {
  const traderId = ownTrader(context.caller);
  if (traderId === null) return false;
  const owner = OWNERS[typeName];
  if (owner === undefined) throw new Error(`nobody can own a ${typeName}`);
  return owner(source as never, traderId, context);
}

/** The rule OWN, for what must be known before an object is made. */
export async function mayReadAsOwn(typeName: string, source: unknown, context: Context): Promise<boolean> {
  return allows(context.caller, 'read:risk') || isOwn(typeName, source, context);
}

export async function isOfFund(source: unknown, { loaders }: Context): Promise<boolean> {
  const { accountId } = source as { readonly accountId: string };
  return (await loaders.account.load(accountId))?.kind === 'INSURANCE_FUND';
}

async function isAccountOf(accountId: string, traderId: string, { loaders }: Context): Promise<boolean> {
  return (await loaders.account.load(accountId))?.traderId === traderId;
}
