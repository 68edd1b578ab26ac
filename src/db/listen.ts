import type { Sql } from './connect.js';
import { CHANGED_CHANNEL } from './record-notice.js';

export interface Listening {
  stop(): Promise<void>;
}

/**
 * Calls `onChange` with the kind of each committed change, and with 'reconnected' whenever the connection is new:
 * then something may have been missed. The driver connects again by itself.
 */
export async function listenForChanges(sql: Sql, onChange: (kind: string) => void): Promise<Listening> {
  const listening = await sql.listen(CHANGED_CHANNEL, onChange, () => {
    onChange('reconnected');
  });
  return { stop: () => listening.unlisten() };
}
