/** A process that starts the embedded server and says so: for tests that kill it. Words: data folder, database. */
import { closeSql, openSql } from '../../src/db/connect.js';
import { startEmbedded } from '../../src/db/embedded.js';

const [dataDir, database] = process.argv.slice(2);
if (dataDir === undefined || database === undefined) throw new Error('a data folder and a database are needed');

// A test run that was killed leaves nothing behind.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, 500).unref();

const server = await startEmbedded({ dataDir, database, unsafeFast: true });

process.on('SIGINT', () => {
  void answerThenStop();
});

/** What a service does on Ctrl-C: it still needs the database to end what it began. */
async function answerThenStop(): Promise<void> {
  const sql = openSql(server.url, { max: 1 });
  const [row] = await sql<{ answer: number }[]>`select 42 as answer`;
  console.log(`answer ${row?.answer ?? 'none'}`);
  await closeSql(sql);
  await server.stop();
}

console.log(`url ${server.url}`);
