import { it } from '@jest/globals';
import { createTestDatabase } from '../support/database.js';
import { playCrash } from '../support/crash.js';
it('t', async () => {
  let t = performance.now();
  const lap = (n: string) => { console.log(n, Math.round(performance.now() - t)); t = performance.now(); };
  const d = await createTestDatabase(); lap('create');
  await playCrash(d.sql); lap('crash');
  for (let i = 0; i < 3; i++) { await d.sql`select * from invariant_violations`; lap('inv'); }
  for (const v of ['position_violations','money_violations','forced_close_violations','ranking_violations']) { await d.sql`select * from ${d.sql(v)}`; lap(v); await d.sql`select * from ${d.sql(v)}`; lap(v); }
  const plan = await d.sql`explain (analyze, summary) select * from invariant_violations`;
  console.log(plan.map((r) => r['QUERY PLAN']).slice(-8).join('\n'));
  await d.drop(); lap('drop');
});
