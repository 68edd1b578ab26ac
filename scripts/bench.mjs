/** Runs the benchmark from one built file: run from its sources, each function would carry what names it in stack traces. */
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const outfile = path.join(root, 'node_modules/.cache/backstop-bench.mjs');
await build({
  entryPoints: [path.join(root, 'bench/main.ts')],
  ...{ outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm', logLevel: 'warning' },
});
await import(pathToFileURL(outfile).href);
