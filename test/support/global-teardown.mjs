import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

const CACHE = path.resolve(import.meta.dirname, '../../node_modules/.cache');

export default async function globalTeardown() {
  const { server, folder } = globalThis.backstopTestServer;
  await server.stop();
  await rm(folder, { recursive: true, force: true });
  if (!server.dataDir.startsWith(folder)) await rm(server.dataDir, { recursive: true, force: true });
  // Programs that tests made of the sources.
  const made = (await readdir(CACHE).catch(() => [])).filter((name) =>
    name.startsWith(`backstop-test-${process.pid}-`),
  );
  for (const name of made) await rm(path.join(CACHE, name), { force: true });
}
