import { startEmbedded } from '/work/main/src/db/embedded.js';
import { deployMigrations } from '/work/main/src/db/migrate.js';
import { measureLaps } from '/work/main/bench/laps.js';
const server = await startEmbedded({ dataDir: '/tmp/smokepg/postgres', database: 'bench'});
try {
  await deployMigrations(server.url, '/work/main/prisma/migrations');
  const r = await measureLaps(server, { positions: 10000, doomed: 100, seed: 1 });
  console.log({ ...r, accountIds: r.accountIds.length });
} catch (e) { console.error(e); } finally { await server.stop(); }
process.exit();
