import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../src/config.js';
import { TEST_SECRET } from './access.js';
import { bundleInPlace } from './children.js';

/** `backstop serve` in a process of its own, as it is started from a shell; it takes the tokens of the tests. */
export interface Served {
  /** What it printed as its address, up to the path. */
  readonly origin: string;
  readonly pid: number;
  /** How it ended: its exit code, or the signal. */
  readonly ended: Promise<number | string>;
  signal(name: NodeJS.Signals): void;
  /** All that it printed, once that matches. */
  printed(pattern: RegExp): Promise<string>;
  /** What it logged so far. */
  said(): string;
  health(): Promise<Record<string, unknown>>;
}

interface Ended {
  readonly code: number | string;
  readonly said: string;
}

const BIN = path.join(packageRoot, 'bin/backstop.js');

let program: Promise<string> | undefined;
/** File of the commands that `bin/backstop.js` runs; that itself is run where a start is refused. */
export function commands(): Promise<string> {
  const code = "import { main } from './src/cli.js'; process.exitCode = await main(process.argv.slice(2));";
  program ??= bundleInPlace('serve', code);
  return program;
}

/** Resolves when it is ready; rejects with what it said when it ends before. `file`: of another build of the commands. */
export async function startServe(
  role: string,
  environment: Readonly<Record<string, string>>,
  file?: string,
): Promise<Served> {
  const { child, ended, said } = spawnServe(file ?? (await commands()), role, environment);
  let printed = '';
  const ready = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      printed += `${line}\n`;
      const origin = /http:\/\/[^/\s]+/.exec(line)?.[0];
      if (origin !== undefined) resolve(origin);
    });
  });
  const failed = ended.then(({ said }): never => {
    throw new Error(`serve ended: ${said}`);
  });
  const origin = await Promise.race([ready, failed]);
  failed.catch(() => undefined);
  return {
    origin,
    pid: child.pid ?? 0,
    ended: ended.then(({ code }) => code),
    signal: (name) => child.kill(name),
    said,
    async printed(pattern) {
      while (!pattern.test(printed)) await new Promise((resolve) => setTimeout(resolve, 20));
      return printed;
    },
    health: async () => (await (await fetch(`${origin}/readyz`)).json()) as Record<string, unknown>,
  };
}

/** What it says when it does not start. */
export async function refusalOfServe(role: string, environment: Readonly<Record<string, string>>): Promise<Ended> {
  return spawnServe(BIN, role, environment).ended;
}

function spawnServe(file: string, role: string, environment: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [file, 'serve', '--role', role], {
    env: {
      ...process.env,
      ...{
        HOST: '127.0.0.1',
        PORT: '0',
        LOG_LEVEL: 'warn',
        BACKSTOP_DEMO: 'off',
        RATE_LIMIT: 'off',
        JWT_SECRETS: TEST_SECRET,
      },
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A test run that was killed leaves nothing behind.
  const end = (): boolean => child.kill('SIGKILL');
  process.once('exit', end);
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => {
      process.removeListener('exit', end);
      resolve({ code: code ?? signal ?? 'unknown', said });
    });
  });
  return { child, ended, said: () => said };
}
