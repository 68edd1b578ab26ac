/** Holds schema.graphql against docs/contract.graphql, which clients were promised. `--accept`: what it says now is the promise. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../src/config.js';
import { breakingChanges, mannersBroken } from './contract.js';

const promised = path.join(packageRoot, 'docs/contract.graphql');
const now = await readFile(path.join(packageRoot, 'schema.graphql'), 'utf8');
if (process.argv.includes('--accept')) {
  await writeFile(promised, now);
  console.log('docs/contract.graphql is what schema.graphql says.');
} else {
  const faults = [...breakingChanges(await readFile(promised, 'utf8'), now), ...mannersBroken(now)];
  for (const fault of faults) console.error(fault);
  if (faults.length > 0)
    console.error('If clients were told of it: npm run schema:accept, and a line in CHANGELOG.md.');
  else console.log('The contract is kept.');
  process.exitCode = faults.length === 0 ? 0 : 1;
}
