import process from 'node:process';
import type { Command } from 'commander';
import { isScope, SCOPES, type Scope } from './access/caller.js';
import { mintToken, type Wish } from './access/mint.js';
import type { Config } from './config.js';
import { BackstopError } from './errors.js';
import { withLocalSecret } from './local-access.js';

export interface TokenOptions {
  readonly scopes: string;
  readonly subject: string;
  readonly trader?: string;
  readonly ttl: string;
}

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
/** A token cannot be taken back, only its key can. */
const LONGEST_SECONDS = 30 * UNIT_SECONDS.d;

export function defineToken(command: Command, config: Config): void {
  command
    .description('make a token for development, signed with the secret that this service judges tokens by')
    .requiredOption('--scopes <scopes>', `what it allows, parted by commas: ${SCOPES.join(', ')}`)
    .option('--trader <id>', "whose accounts are its own, by the exchange's id")
    .option('--subject <name>', 'who it is for', 'developer')
    .option('--ttl <time>', 'how long it is valid, such as 15m, 12h or 7d', '1h')
    .action(async (options: TokenOptions) => {
      const wish = parseWish(options);
      process.stdout.write(`${await mintToken(await withLocalSecret(config), wish)}\n`);
    });
}

/** What was asked for, or why it cannot be had. */
export function parseWish({ scopes, subject, trader, ttl }: TokenOptions): Wish {
  const wish = {
    subject,
    scopes: parseScopes(scopes),
    ...(trader !== undefined && { traderId: trader }),
    ttlSeconds: parseTtl(ttl),
  };
  if (wish.scopes.includes('read:account') && trader === undefined) {
    throw new BackstopError('BAD_INPUT', 'read:account is for the accounts of one trader: name it with --trader.');
  }
  return wish;
}

function parseScopes(text: string): Scope[] {
  return text.split(/[\s,]+/).map((scope) => {
    if (isScope(scope)) return scope;
    throw new BackstopError('BAD_INPUT', `There is no scope ${scope}; there is: ${SCOPES.join(', ')}.`);
  });
}

function parseTtl(text: string): number {
  const [, digits, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  const seconds = Number.parseInt(digits ?? '0', 10) * UNIT_SECONDS[(unit ?? 's') as keyof typeof UNIT_SECONDS];
  if (seconds < 1 || seconds > LONGEST_SECONDS) {
    throw new BackstopError('BAD_INPUT', `--ttl must be such as 15m, 12h or 7d, and at most 30d, not ${text}.`);
  }
  return seconds;
}
