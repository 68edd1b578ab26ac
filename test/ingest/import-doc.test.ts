import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../src/config.js';
import { BOOK_LINE_TYPES } from '../../src/ingest/book-line.js';
import { importBook } from '../../src/ingest/import-book.js';
import { assertInvariants } from '../support/checks.js';
import { createTestDatabase } from '../support/database.js';

const page = readFileSync(path.join(packageRoot, 'docs/import.md'), 'utf8');

describe('docs/import.md', () => {
  it('has an example that loads', async () => {
    const example = /```ndjson\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const db = await createTestDatabase();
    try {
      await importBook(
        db.sql,
        (async function* () {
          yield await Promise.resolve(example);
        })(),
      );
      const rows = await db.sql`select account_id, trim_scale(size)::text as size from position order by account_id`;
      expect([...rows]).toEqual([
        { account_id: 'ann-cross', size: '0.5' },
        { account_id: 'makers', size: '-0.5' },
      ]);
      await assertInvariants(db.sql);
    } finally {
      await db.drop();
    }
  });

  it('names every type of line', () => {
    for (const type of BOOK_LINE_TYPES) expect(page).toContain(`\`${type}\``);
  });
});
