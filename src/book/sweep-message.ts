import { Decimal, dec } from '../risk/decimal.js';
import type { Circumstances } from '../db/risk-state.js';
import { ColumnReader, type ColumnArrays, type Heads } from './column-reader.js';
import type { Members } from './members.js';
import type { FloatMarket, Margins } from './screen.js';
import type { Swept, SweepTask } from './sweep.js';

/** A task as it goes to the other thread: columns are shared, what was made of them and names are copied. */
export interface TaskMessage {
  readonly number: number;
  /** Which columns; others than those of the last message begin with no names. */
  readonly columns: number;
  readonly arrays: ColumnArrays;
  /** Ids of accounts that the other thread does not have yet, and how many it has; all assets and markets. */
  readonly knownIds: number;
  readonly newIds: readonly string[];
  readonly assets: readonly string[];
  readonly markets: readonly string[];
  readonly heads: Heads;
  readonly lastCodes: Uint8Array;
  readonly floats: readonly FloatMarket[];
  readonly caution: number;
  readonly old: Margins | null;
  readonly touched: readonly number[];
  readonly moved: readonly number[];
  readonly members: ReadonlyMap<string, Members>;
  readonly standing: readonly string[];
  readonly isEager: boolean;
  readonly circumstances: string;
}

export type AnswerMessage =
  | { readonly number: number; readonly swept: Swept; readonly failure?: undefined }
  | { readonly number: number; readonly failure: string };

/** What the other thread knows of some columns already. */
export interface Known {
  readonly columns: number;
  readonly ids: number;
}

export function toMessage(number: number, task: SweepTask, columns: number, known: Known | undefined): TaskMessage {
  const { names, arrays } = task.columns;
  const from = known?.columns === columns ? known.ids : 0;
  const { heads, lastCodes, floats, caution, old, touched, moved, members, standing, isEager } = task;
  return {
    ...{ number, columns, heads, lastCodes, floats, caution, old, touched, moved, members, standing, isEager },
    arrays: { ...arrays },
    knownIds: from,
    newIds: names.ids.slice(from),
    assets: [...names.assets],
    markets: [...names.markets],
    circumstances: packed(task.circumstances),
  };
}

/** The task that the message tells, over the ids that were told so far. */
export function toTask(message: TaskMessage, ids: readonly string[]): SweepTask {
  const { heads, lastCodes, floats, caution, old, touched, moved, members, standing, isEager } = message;
  const { arrays, assets, markets } = message;
  return {
    ...{ heads, lastCodes, floats, caution, old, touched, moved, members, standing, isEager },
    columns: new ColumnReader(arrays, { ids, assets, markets }),
    // It came as a copy.
    mayWriteOld: true,
    // What is patched is little, and never comes here.
    patched: new Map(),
    circumstances: unpacked(message.circumstances),
  };
}

/** All memory of the large arrays, each once. */
export function buffersOf({ margins, members, made }: Swept): ArrayBuffer[] {
  const { equity, equityError, maintenance, maintenanceError, status, held } = margins;
  const arrays: ArrayBufferView[] = [equity, equityError, maintenance, maintenanceError, status, held];
  for (const { slots, positions } of members.values()) arrays.push(slots, positions);
  for (const queue of made.values()) {
    arrays.push(queue.order, queue.ranks);
    if (queue.ahead.unit === 'SIZE_STEP') arrays.push(queue.ahead.sums);
  }
  const buffers = new Set(arrays.map(({ buffer }) => buffer));
  return [...buffers].filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer);
}

/** Decimals and maps as text. */
function packed(circumstances: Circumstances): string {
  return JSON.stringify(circumstances, function (this: Record<string, unknown>, key, value: unknown) {
    // JSON.stringify has called toJSON of a Decimal already: take the value itself.
    const raw = this[key];
    if (Decimal.isDecimal(raw)) return { decimal: raw.toFixed() };
    return raw instanceof Map ? { map: [...raw] } : value;
  });
}

function unpacked(text: string): Circumstances {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    const { decimal, map } = value as { decimal?: string; map?: [string, unknown][] };
    if (Object.hasOwn(value, 'decimal') && decimal !== undefined) return dec(decimal);
    return Object.hasOwn(value, 'map') ? new Map(map) : value;
  }) as Circumstances;
}
