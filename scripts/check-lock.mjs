/** Refuses a lock file that lacks a platform's package (`npm ci` would fail elsewhere) or that names a download host. */
import { readFileSync } from 'node:fs';

const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));

/** Whether a package at `place` finds `name`, looking in its own node_modules and in those above it. */
function isFound(place, name) {
  const parts = place === '' ? [''] : ['', ...place.split(/(?<=^|\/)node_modules\//).slice(1)];
  for (let depth = parts.length; depth > 0; depth--) {
    const inside = parts
      .slice(1, depth)
      .map((part) => `node_modules/${part}`)
      .join('');
    const folder = inside === '' || inside.endsWith('/') ? inside : `${inside}/`;
    if (`${folder}node_modules/${name}` in packages) return true;
  }
  return false;
}

const faults = [];
for (const [place, entry] of Object.entries(packages)) {
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (!isFound(place, name)) faults.push(`${place || 'package.json'} may need ${name}, which the lock file lacks`);
  }
  if (entry.resolved !== undefined) faults.push(`${place} names where it was downloaded from`);
}
for (const fault of faults) console.error(fault);
console.log(faults.length === 0 ? 'The lock file is whole.' : `${faults.length} faults in the lock file.`);
process.exitCode = faults.length === 0 ? 0 : 1;
