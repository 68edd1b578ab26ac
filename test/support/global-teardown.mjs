import { rm } from 'node:fs/promises';

export default async function globalTeardown() {
  const { server, folder } = globalThis.backstopTestServer;
  await server.stop();
  await rm(folder, { recursive: true, force: true });
  if (!server.dataDir.startsWith(folder)) await rm(server.dataDir, { recursive: true, force: true });
}
