/**
 * Holds schema.graphql, or the file that is named, against docs/contract.graphql, which clients were promised, and against
 * its own manners. `--accept`: what it says now is the promise.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../src/config.js';
import { breakingChanges, mutationsAmiss } from './contract.js';
import { lintSchema } from './lint-schema.js';

const promised = path.join(packageRoot, 'docs/contract.graphql');
const args = process.argv.slice(2);
const file = path.resolve(args.find((arg) => !arg.startsWith('--')) ?? path.join(packageRoot, 'schema.graphql'));
const now = await readFile(file, 'utf8');
if (args.includes('--accept')) {
  await writeFile(promised, now);
  console.log('docs/contract.graphql is what schema.graphql says.');
} else {
  const broken = breakingChanges(await readFile(promised, 'utf8'), now);
  const faults = [...broken, ...(await lintSchema(file)), ...mutationsAmiss(now)];
  for (const fault of faults) console.error(fault);
  if (broken.length > 0)
    console.error('If clients were told of it: npm run schema:accept, and a line in CHANGELOG.md.');
  if (faults.length === 0) console.log('The contract is kept.');
  process.exitCode = faults.length === 0 ? 0 : 1;
}
