import type { ChangeKind, ProposedChange } from '../db/read-changes.js';
import { setPaused } from '../db/record-changes.js';
import { announce } from '../db/record-notice.js';
import type { Tx } from '../db/connect.js';
import type { Change } from '../db/venue.js';
import { BackstopError } from '../errors.js';
import { parseWithdrawal, withdrawFromFund } from '../ingest/accounts.js';
import { endExemption, grantExemption, parseExemptionEnd, parseExemptionGrant } from '../ingest/exemptions.js';
import { applyStatusChange, parseStatusChange } from '../ingest/market-status.js';
import { applyBrackets, applyPolicy, parseBrackets, parsePolicy } from '../ingest/markets.js';

/** What is to be put in force, as JSON has it; amounts are decimal texts. */
export type Terms = Readonly<Record<string, unknown>>;

/** A change whose terms are sound. */
export interface OpenedChange {
  readonly terms: Terms;
  /** Puts it in force, or refuses; the version that it became, where it became one. */
  readonly apply: (tx: Tx, changeId: string) => Promise<number | null>;
}

export interface Kind {
  /** The mutation that proposes it: how the audit log calls it. */
  readonly action: string;
  readonly targetType: ProposedChange['targetType'];
  /** It is about a state, halted or stopped, that ends with the first one applied: those proposed before it are void. */
  readonly endsState: boolean;
  /** It says from which lap on it counts, so it stands between two of them. */
  readonly betweenLaps?: boolean;
  /** By what was asked, or by what was stored. */
  readonly open: (targetId: string, terms: Terms, by: Change) => OpenedChange;
}

export const KINDS: Readonly<Record<ChangeKind, Kind>> = {
  BRACKETS_CHANGE: {
    ...{ action: 'bracketsChange', targetType: 'Market', endsState: false },
    open(marketId, terms, by) {
      const parsed = parseBrackets({ ...terms, ...by, marketId });
      const brackets = parsed.brackets.map(({ floor, maintenanceRate, initialRate }) => ({
        floor: floor.toFixed(),
        maintenanceRate: maintenanceRate.toFixed(),
        initialRate: initialRate.toFixed(),
      }));
      return { terms: { brackets }, apply: async (tx) => (await applyBrackets(tx, parsed)).version };
    },
  },
  POLICY_CHANGE: {
    ...{ action: 'policyChange', targetType: 'Market', endsState: false },
    open(marketId, terms, by) {
      const parsed = parsePolicy({ ...terms, ...by, marketId });
      return { terms: { ...parsed.policy }, apply: async (tx) => (await applyPolicy(tx, parsed)).version };
    },
  },
  FUND_WITHDRAWAL: {
    ...{ action: 'insuranceFundWithdraw', targetType: 'InsuranceFund', endsState: false },
    open(fundId, terms) {
      const parsed = parseWithdrawal({ ...terms, fundId });
      const { id, amount } = parsed;
      return {
        terms: { id, amount: amount.toFixed() },
        async apply(tx) {
          await withdrawFromFund(tx, parsed);
          return null;
        },
      };
    },
  },
  MARKET_RESUME: {
    ...{ action: 'marketResume', targetType: 'Market', endsState: true },
    open(marketId, terms, by) {
      const parsed = parseStatusChange({ ...terms, ...by, marketId });
      return {
        terms: {},
        async apply(tx) {
          await applyStatusChange(tx, parsed, 'HALTED', 'ACTIVE');
          return null;
        },
      };
    },
  },
  EXEMPTION_GRANT: {
    ...{ action: 'exemptionGrant', targetType: 'Account', endsState: false, betweenLaps: true },
    open(accountId, terms, by) {
      const parsed = parseExemptionGrant({ ...terms, ...by, accountId });
      return {
        terms: { until: parsed.until },
        apply: (tx, changeId) => grantExemption(tx, parsed, changeId),
      };
    },
  },
  EXEMPTION_END: {
    ...{ action: 'exemptionEnd', targetType: 'Account', endsState: false, betweenLaps: true },
    open(accountId, terms, by) {
      const parsed = parseExemptionEnd({ ...terms, ...by, accountId });
      return { terms: {}, apply: (tx, changeId) => endExemption(tx, parsed, changeId) };
    },
  },
  ENGINE_START: {
    ...{ action: 'engineStart', targetType: 'Job', endsState: true },
    open: (jobId) => ({
      terms: {},
      async apply(tx) {
        if (!(await setPaused(tx, jobId, false))) throw new BackstopError('CONFLICT', 'The engine is not stopped.');
        await announce(tx, 'venue');
        return null;
      },
    }),
  },
};
