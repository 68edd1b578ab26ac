/** Parts of an id within its type are set apart by this; no id of the exchange contains it. */
const SEPARATOR = '/';

const TYPES = [
  'Account',
  'Asset',
  'AuditEntry',
  'Change',
  'DeleverageEvent',
  'DeleverageLeg',
  'ForcedTrade',
  'InsuranceFund',
  'Job',
  'JobRun',
  'LedgerEntry',
  'Liquidation',
  'MarginCall',
  'Market',
  'Position',
  'Reconciliation',
  'Trader',
] as const;

export type NodeType = (typeof TYPES)[number];

export interface ParsedNodeId {
  readonly type: NodeType;
  readonly parts: readonly string[];
}

/** `Account:alice`, `Position:alice/BTCUSDT`. */
export function nodeId(type: NodeType, ...parts: readonly string[]): string {
  return `${type}:${parts.join(SEPARATOR)}`;
}

/** Null: not an id that `nodeId` makes. */
export function parseNodeId(id: string): ParsedNodeId | null {
  const colon = id.indexOf(':');
  const type = TYPES.find((name) => name === id.slice(0, Math.max(0, colon)));
  return type === undefined ? null : { type, parts: id.slice(colon + 1).split(SEPARATOR) };
}

/** The id within `type`; null when `id` is of something else. */
export function keyOf(type: NodeType, id: string): string | null {
  const parsed = parseNodeId(id);
  return parsed?.type === type && parsed.parts.length === 1 ? (parsed.parts[0] ?? null) : null;
}

const ROW_ID = /^[1-9]\d{0,17}$/;

/** The id of a history row: a positive number. Null: not one. */
export function rowIdOf(type: NodeType, id: string): string | null {
  const key = keyOf(type, id);
  return key !== null && ROW_ID.test(key) ? key : null;
}
