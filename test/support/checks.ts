import { expect } from '@jest/globals';
import type { Reader } from '../../src/db/connect.js';

/** What the database itself says about its conserved totals; a row is a broken promise. */
export async function assertInvariants(sql: Reader): Promise<void> {
  const violations = await sql`select * from invariant_violations`;
  expect([...violations]).toEqual([]);
}
