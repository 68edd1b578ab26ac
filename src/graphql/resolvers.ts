import type { Resolvers } from '../generated/graphql.js';
import { accountResolvers, adlExemptionResolvers, balanceResolvers } from './account.js';
import { assetResolvers } from './asset.js';
import { auditEntryResolvers } from './audit-entry.js';
import { changeQueueImpactResolvers, changeResolvers } from './change.js';
import { chainVerificationResolvers } from './chain-verification.js';
import { deleverageEventResolvers, deleverageSkipResolvers } from './deleverage-event.js';
import { deleverageLegResolvers } from './deleverage-leg.js';
import { deleverageVerificationPartResolvers, deleverageVerificationResolvers } from './deleverage-verification.js';
import { forcedTradeResolvers } from './forced-trade.js';
import { insuranceFundResolvers } from './insurance-fund.js';
import { jobResolvers, jobRunResolvers } from './job.js';
import { ledgerEntryResolvers } from './ledger-entry.js';
import { liquidationResolvers } from './liquidation.js';
import { subscriptionResolvers } from './live/subscription.js';
import { marginCallResolvers } from './margin-call.js';
import { marginResolvers } from './margin.js';
import {
  marginSimulationResolvers,
  simulatedAdlResolvers,
  simulatedPortfolioResolvers,
  simulatedPositionResolvers,
} from './margin-simulation.js';
import { marketResolvers } from './market.js';
import { changeMutations } from './mutation-change.js';
import { feedMutations } from './mutation-feed.js';
import { venueMutations } from './mutation-venue.js';
import { reconciliationMutations } from './mutation-reconciliation.js';
import { nodeResolvers } from './node.js';
import { adlIndicatorResolvers, positionResolvers } from './position.js';
import { priceQuoteResolvers } from './price-quote.js';
import { queryResolvers } from './query.js';
import {
  reconciliationDifferenceResolvers,
  reconciliationFactResolvers,
  reconciliationResolvers,
} from './reconciliation.js';
import { withKeys } from './request-key.js';
import { bigIntScalar, dateTimeScalar, decimalScalar } from './scalars.js';
import { tradeResolvers } from './trade.js';
import { traderResolvers } from './trader.js';
import { viewerResolvers } from './viewer.js';

export const resolvers: Resolvers = {
  Decimal: decimalScalar,
  DateTime: dateTimeScalar,
  BigInt: bigIntScalar,
  Query: queryResolvers,
  Subscription: subscriptionResolvers,
  Mutation: {
    ...feedMutations,
    ...reconciliationMutations,
    ...withKeys({ ...venueMutations, ...changeMutations }),
  },
  Node: nodeResolvers,
  Account: accountResolvers,
  AdlExemption: adlExemptionResolvers,
  AdlIndicator: adlIndicatorResolvers,
  Asset: assetResolvers,
  AuditEntry: auditEntryResolvers,
  Balance: balanceResolvers,
  Change: changeResolvers,
  ChangeQueueImpact: changeQueueImpactResolvers,
  ChainVerification: chainVerificationResolvers,
  DeleverageEvent: deleverageEventResolvers,
  DeleverageLeg: deleverageLegResolvers,
  DeleverageSkip: deleverageSkipResolvers,
  DeleverageVerification: deleverageVerificationResolvers,
  DeleverageVerificationPart: deleverageVerificationPartResolvers,
  ForcedTrade: forcedTradeResolvers,
  InsuranceFund: insuranceFundResolvers,
  Job: jobResolvers,
  JobRun: jobRunResolvers,
  LedgerEntry: ledgerEntryResolvers,
  Liquidation: liquidationResolvers,
  Margin: marginResolvers,
  MarginSimulation: marginSimulationResolvers,
  MarginCall: marginCallResolvers,
  Market: marketResolvers,
  Position: positionResolvers,
  PriceQuote: priceQuoteResolvers,
  Reconciliation: reconciliationResolvers,
  ReconciliationDifference: reconciliationDifferenceResolvers,
  ReconciliationFact: reconciliationFactResolvers,
  SimulatedAdl: simulatedAdlResolvers,
  SimulatedPortfolio: simulatedPortfolioResolvers,
  SimulatedPosition: simulatedPositionResolvers,
  Trade: tradeResolvers,
  Trader: traderResolvers,
  Viewer: viewerResolvers,
};
