import { startEmbedded } from '../src/db/embedded.js';
import { openSql } from '../src/db/connect.js';
import { loadRiskState } from '../src/db/risk-state.js';
import { loadShownLevels, loadStandingCalls } from '../src/db/lap-inputs.js';
import { readClock } from '../src/db/record-notice.js';
import { makeBook } from '../src/book/book.js';
import { Lap } from '../src/engine/lap.js';
import { survey, act } from '../src/engine/waterfall.js';
const server = await startEmbedded({ dataDir: '/tmp/smokepg/postgres', database: 'bench_idle'});
const sql = openSql(server.url, {max:1});
const cpu = () => { const u = process.cpuUsage(); return (u.user+u.system)/1000; };
for (let i=0;i<6;i++) {
  const t: [string, number, number][] = []; let a = cpu(), w = performance.now();
  const step = (n: string) => { const b = cpu(), x = performance.now(); t.push([n, Math.round(b-a), Math.round(x-w)]); a = cpu(); w = performance.now(); };
  const state = await loadRiskState(sql, await readClock(sql)); step('load');
  const calls = await loadStandingCalls(sql); const shown = await loadShownLevels(sql); step('calls+shown');
  const book = makeBook(state); step('makeBook');
  const lap = new Lap(book, calls, shown); const tr = survey(lap); step('survey'); act(lap, tr); step('act');
  const after = lap.bookAfter(); step('bookAfter');
  for (const m of ['BTCUSDT','ETHUSDT']) for (const s of ['LONG','SHORT'] as const) after.ranking(m, s); step('rankings');
  console.log(i, JSON.stringify(t));
}
await sql.end(); await server.stop(); process.exit();
