import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { build, stop, type BuildOptions } from 'esbuild';
import { packageRoot } from '../../src/config.js';

/**
 * A program of ours as one file that finds the packages, the contract and the migrations as its sources do: a process starts with
 * it in a third of the time. `code` imports from the root of the package.
 */
export async function bundleInPlace(name: string, code: string): Promise<string> {
  // The tear-down of the run removes them.
  const run = process.env['BACKSTOP_TEST_RUN'] ?? '';
  const outfile = path.join(
    packageRoot,
    'node_modules/.cache',
    `backstop-test-${run}-${name}-${String(process.pid)}.mjs`,
  );
  const stdin = { contents: code, resolveDir: packageRoot };
  await buildOnce({ stdin, outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm' });
  return outfile;
}

export interface Child {
  /** The next line that it says; undefined when it has ended. */
  line(): Promise<string | undefined>;
  /** How it ended: its exit code, or the signal. */
  readonly ended: Promise<number | string>;
  signal(name: NodeJS.Signals): void;
  say(line: string): void;
}

export interface ChildProgram {
  start(environment: Readonly<Record<string, string>>): Child;
  remove(): Promise<void>;
}

/** Without the process that esbuild would keep for the next time, and that would outlive a worker of the tests. */
async function buildOnce(options: BuildOptions): Promise<void> {
  try {
    await build(options);
  } finally {
    await stop();
  }
}

/** One file of a script and all that it imports: a child then starts in a tenth of the time. */
export async function bundle(script: string): Promise<ChildProgram> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'backstop-child-'));
  const outfile = path.join(folder, 'script.mjs');
  // esbuild comes with tsx. CommonJS packages ask for `require`, which a module does not have.
  const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  const entryPoints = [path.join(packageRoot, script)];
  await buildOnce({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', banner: { js: banner } });
  const children = new Set<ChildProcessWithoutNullStreams>();
  return {
    start(environment) {
      const child = spawn(process.execPath, [outfile], { env: { ...process.env, ...environment }, stdio: 'pipe' });
      children.add(child);
      child.once('exit', () => children.delete(child));
      return follow(child);
    },
    async remove() {
      for (const child of children) child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function follow(child: ChildProcessWithoutNullStreams): Child {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stderr.on('data', (text: Buffer) => process.stderr.write(text));
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(code ?? signal ?? 'unknown');
    });
  });
  return {
    async line() {
      const next = await lines.next();
      return next.done === true ? undefined : next.value;
    },
    ended,
    signal: (name) => child.kill(name),
    say: (line) => child.stdin.write(`${line}\n`),
  };
}
