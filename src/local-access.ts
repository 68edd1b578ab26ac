import { localSecret } from './access/secret-file.js';
import { hasKeys, type AccessSettings } from './access/settings.js';
import type { Config } from './config.js';

/**
 * The keys as they were set. Where none was, and the database is the embedded one, a secret of the data folder's own, so that
 * a first start works by itself; a database of somebody's own never gets a key that nobody chose.
 */
export async function withLocalSecret({
  access,
  databaseUrl,
  dataDir,
}: Pick<Config, 'access' | 'databaseUrl' | 'dataDir'>): Promise<AccessSettings> {
  if (hasKeys(access) || databaseUrl !== undefined) return access;
  return { ...access, secrets: [{ kid: undefined, text: await localSecret(dataDir) }] };
}
