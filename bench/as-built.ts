import { execFileSync } from 'node:child_process';
import { cp, symlink } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../src/config.js';

const SHIPPED = ['bin', 'dist', 'data', 'prisma/migrations', 'package.json', 'schema.graphql'];

/** As the image sets them: how memory is given back. */
export const IMAGE_SETTINGS = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '262144',
  MALLOC_TRIM_THRESHOLD_: '1048576',
};

/**
 * Builds what the image has into `folder`: without sources beside it, `bin/backstop.js` runs the build, as it does in service.
 * Returns the path of that program.
 */
export async function buildInto(folder: string): Promise<string> {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: packageRoot, stdio: ['ignore', process.stderr, 'inherit'] });
  for (const name of SHIPPED) await cp(path.join(packageRoot, name), path.join(folder, name), { recursive: true });
  await symlink(path.join(packageRoot, 'node_modules'), path.join(folder, 'node_modules'));
  return path.join(folder, 'bin/backstop.js');
}
