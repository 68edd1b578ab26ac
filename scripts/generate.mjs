/**
 * Makes what is not committed: the Prisma client (src/generated/prisma) and the resolvers' types
 * (src/generated/graphql.ts). Does nothing when a stamp says that the inputs have not changed.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '..');
const generated = path.join(root, 'src/generated');
const stampFile = path.join(generated, '.stamp');
const lockFile = path.join(root, 'node_modules/.backstop-generate');
const INPUTS = [
  'prisma/schema.prisma',
  'prisma.config.ts',
  'schema.graphql',
  'codegen.json',
  'scripts/generate.mjs',
  'package.json',
];

/** Makes the generated code if it is missing or stale. True when something was made. */
export async function generateIfStale() {
  if (isFresh()) return false;
  const release = await takeLock();
  try {
    if (isFresh()) return false;
    const stamp = stampOfInputs();
    mkdirSync(generated, { recursive: true });
    await Promise.all([generatePrisma(), generateGraphql()]);
    writeFileSync(stampFile, stamp);
    return true;
  } finally {
    release();
  }
}

function isFresh() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stampOfInputs();
}

function stampOfInputs() {
  const hash = createHash('sha256');
  for (const name of INPUTS) {
    const file = path.join(root, name);
    hash.update(`${name}\n`).update(existsSync(file) ? readFileSync(file) : '');
  }
  return hash.digest('hex');
}

/** Two commands may start at once; the second waits, then finds the work done. A dead holder's lock counts for nothing. */
async function takeLock() {
  for (;;) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
      return () => rmSync(lockFile, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = existsSync(lockFile) ? readFileSync(lockFile, 'utf8') : '';
    if (holder !== '' && !isAlive(Number.parseInt(holder, 10))) rmSync(lockFile, { force: true });
    await sleep(100);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

async function generatePrisma() {
  if (!existsSync(path.join(root, 'prisma/schema.prisma'))) return;
  const cli = createRequire(path.join(root, 'package.json')).resolve('prisma/build/index.js');
  const env = { ...process.env, CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' };
  try {
    await promisify(execFile)(process.execPath, [cli, 'generate', '--no-hints'], { cwd: root, env });
  } catch (error) {
    throw new Error(`prisma generate failed:\n${error.stdout ?? ''}${error.stderr ?? error.message}`, { cause: error });
  }
}

async function generateGraphql() {
  const [{ codegen }, typescript, resolvers, { parse }] = await Promise.all([
    import('@graphql-codegen/core'),
    import('@graphql-codegen/typescript'),
    import('@graphql-codegen/typescript-resolvers'),
    import('graphql'),
  ]);
  const settings = JSON.parse(readFileSync(path.join(root, 'codegen.json'), 'utf8'));
  const shared = { scalars: settings.scalars, useTypeImports: true };
  const file = path.join(generated, 'graphql.ts');
  const text = await codegen({
    filename: file,
    schema: parse(readFileSync(path.join(root, 'schema.graphql'), 'utf8')),
    documents: [],
    config: {},
    plugins: [
      { typescript: { ...shared, enumsAsTypes: true, strictScalars: true, maybeValue: 'T | null' } },
      { resolvers: { ...shared, ...settings.resolvers } },
    ],
    pluginMap: { typescript, resolvers },
  });
  writeFileSync(file, `/* eslint-disable */\n${text}`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await generateIfStale();
}
