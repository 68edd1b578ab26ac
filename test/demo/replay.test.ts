import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { replay, type Replayed } from '../../src/demo/replay.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const GOLDEN = path.join(import.meta.dirname, 'replay.golden.txt');

let database: TestDatabase;
let replayed: Replayed;

beforeAll(async () => {
  database = await createTestDatabase();
  replayed = await replay(database.sql);
});

afterAll(() => database.drop());

describe('the replay of 2025-10-10', () => {
  it('prints the same as ever, to the last digit', () => {
    expect(replayed.report).toBe(readFileSync(GOLDEN, 'utf8'));
  });
});
