#!/usr/bin/env node
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { refuseNode } from './node-version.js';

// GraphQL answers lists more than twice as fast so (Apollo and graphql-js skip their checks for development).
process.env.NODE_ENV ??= 'production';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** In a checkout the sources are run as they are; an image has only what was built from them. */
async function loadCommands() {
  const source = path.join(root, 'src/cli.ts');
  if (!existsSync(source)) return import(pathToFileURL(path.join(root, 'dist/src/cli.js')).href);
  const { generateIfStale } = await import('../scripts/generate.mjs');
  await generateIfStale();
  // In this process, not a child: signals must reach the service itself.
  const { register } = await import('tsx/esm/api');
  register();
  return import(pathToFileURL(source).href);
}

/** The shell between npm or npx and us dies of a signal and does not pass it on: then nobody waits for us any more. */
function stopWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  watch.unref();
}

async function start() {
  stopWithNpm();
  const settings = path.join(root, '.env');
  if (existsSync(settings)) process.loadEnvFile(settings);
  const { main } = await loadCommands();
  process.exitCode = await main(process.argv.slice(2));
}

const refusal = refuseNode(process.version);
if (refusal !== undefined) {
  console.error(refusal);
  process.exitCode = 1;
} else {
  start().catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
