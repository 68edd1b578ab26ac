import { it } from '@jest/globals';
import { createTestDatabase } from '../support/database.js';
import { importBookLines } from '../../src/ingest/import-book.js';
import { demoBook } from '../../src/demo/book.js';
import { crashPath } from '../../src/demo/path.js';
import { playMinute } from '../../src/demo/play.js';
import { CRASH_START } from '../../src/demo/parameters.js';
import { collect } from '../../src/demo/replay.js';
import { renderReport } from '../../src/demo/report.js';
import { appendFileSync } from 'node:fs';

it('plays', async () => {
  const db = await createTestDatabase();
  const say = (x: unknown) => appendFileSync('/tmp/h6-out.txt', (typeof x === 'string' ? x : JSON.stringify(x)) + '\n');
  try {
    const path = crashPath(CRASH_START);
    let t = performance.now();
    const counts = await importBookLines(db.sql, demoBook(path[0]!), { at: CRASH_START });
    say({ counts, ms: performance.now() - t });
    for (const [i, m] of path.entries()) {
      t = performance.now();
      await playMinute(db.sql, m, i);
      const liq = await db.sql`select market_id, kind, stopped_by, count(*), sum(closed) closed from liquidation where at = ${m.at}::timestamptz group by 1,2,3 order by 1,2,3`;
      const ev = await db.sql`select e.market_id, e.account_id, e.deficit::float d, e.fund_paid::float fp, e.size_before::float sz, e.size_deleveraged::float sd, e.size_closed_at_mark::float sm, (select count(*) from deleverage_leg l where l.event_id = e.id) legs,
       (select json_agg(reason) from deleverage_skip s where s.event_id=e.id) skips from deleverage_event e where at = ${m.at}::timestamptz`;
      const f = await db.sql`select account_id, amount::float from balance where account_id like 'fund%' order by 1`;
      say(`--- ${i} ${m.at} btc ${m.marks.BTCUSDT} xrp ${m.marks.XRPUSDT} ${Math.round(performance.now() - t)} ms; funds ${f.map((r) => r['amount']).join(' ')}`);
      for (const r of liq) say(`  L ${r['market_id']} ${r['kind']} ${r['stopped_by']} ${r['count']} ${r['closed']}`);
      for (const r of ev) say('  E ' + JSON.stringify(r));
    }
    say(renderReport(await collect(db.sql, path)));
    say(await db.sql`select * from invariant_violations limit 5`);
    say(await db.sql`select status, lapse_reason, count(*) from margin_call group by 1,2 order by 1,2`);
    say(await db.sql`select market_id, sum(bad_debt)::float bd, count(*) from deficit_cover group by 1`);
    say(await db.sql`select count(*) from account`);
    say(await db.sql`select market_id, stage, count(*), sum(size_closed)::float, sum(concession)::float from deleverage_leg l join deleverage_event e on e.id=l.event_id group by 1,2`);
    say(await db.sql`select market_id, s.reason, count(*) from deleverage_skip s join deleverage_event e on e.id=s.event_id group by 1,2`);
    say(await db.sql`select market_id, kind, count(*), sum(greatest(fund_delta,0))::float up, sum(least(fund_delta,0))::float down from liquidation l group by 1,2`);
  } finally {
    await db.drop();
  }
});
