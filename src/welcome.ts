import type { Wish } from './access/mint.js';
import type { Sql } from './db/connect.js';
import type { OpenDatabase } from './db/open-database.js';
import { readSights } from './db/read-welcome.js';
import { dropOperation } from './demo/drop.js';

export interface WelcomeInput {
  readonly url: string;
  readonly database: Pick<OpenDatabase, 'readerUrl' | 'dataDir' | 'version'>;
  readonly hasDemo: boolean;
  /** Makes a token to print; undefined: none are printed. */
  readonly mint: ((wish: Wish) => Promise<string>) | undefined;
}

/** Of a process that serves no GraphQL. */
export function welcomeEngine(url: string, database: WelcomeInput['database']): string {
  return `\nBackstop runs the job (health: ${url})\n${databaseLine(database)}\n\n`;
}

/** What runs where, and what to try first, ready to paste. */
export async function welcome(sql: Sql, { url, database, hasDemo, mint }: WelcomeInput): Promise<string> {
  const lines = ['', `Backstop serves GraphQL on ${url} (health: ${new URL('/readyz', url).href})`];
  lines.push(databaseLine(database));
  if (database.readerUrl !== null) lines.push('Inspect it:', `  psql '${database.readerUrl}'`);
  const sights = await readSights(sql);
  const tokens = await makeTokens(sights.traderId, mint);
  lines.push('', ...tokens.lines);
  if (sights.accountId !== null) {
    const fields =
      'externalId margin { status marginRatio } positions { market { symbol } size adl { state level rank queueLength sizeAhead } }';
    lines.push(
      '',
      "The lights of a trader's accounts:",
      `  ${curl(url, tokens.trader, ask(`{ viewer { accounts { ${fields} } } }`))}`,
    );
  }
  if (sights.eventId !== null) {
    lines.push(
      'An ADL event and why:',
      `  npx backstop explain ${sights.eventId}`,
      `  ${curl(url, tokens.risk, ask(`{ deleverageEvent(id: "DeleverageEvent:${sights.eventId}") { explanation } }`))}`,
    );
  }
  if (sights.fundId !== null) {
    const query = `select at, kind, amount, balance_after from insurance_fund_ledger where fund_id = '${sights.fundId}' order by sequence desc limit 10`;
    lines.push("The fund's ledger:", `  psql '${database.readerUrl ?? '$DATABASE_URL'}' -c "${query}"`);
  }
  if (hasDemo) {
    lines.push(
      '',
      'Drop BTC by 5 %, depth with it, then ask who was deleveraged and why:',
      `  ${curl(url, tokens.operator, await dropOperation(sql))}`,
    );
    const why =
      '{ deleverageEvents(first: 1) { edges { node { explanation legs(first: 3) { edges { node { explanation } } } } } } }';
    lines.push(`  ${curl(url, tokens.risk, ask(why))}`);
  }
  return `${lines.join('\n')}\n\n`;
}

/** Of three who ask, as a shell reads them; and what to say about them. */
interface Tokens {
  readonly trader: string;
  readonly risk: string;
  readonly operator: string;
  readonly lines: readonly string[];
}

const DAY_SECONDS = 86_400;

async function makeTokens(traderId: string | null, mint: WelcomeInput['mint']): Promise<Tokens> {
  if (mint === undefined) {
    const lines = [
      'What is not public needs a token. Where JWT_SECRETS is set, make one for each who asks:',
      `  TRADER=$(npx backstop token --scopes read:account --trader ${traderId ?? '<id>'})`,
      '  RISK=$(npx backstop token --scopes read:risk)',
      '  OPERATOR=$(npx backstop token --subject operator --scopes read:risk,read:audit,write:feed,write:admin)',
      '  APPROVER=$(npx backstop token --subject approver --scopes read:risk,read:audit,approve:admin)',
    ];
    return { trader: '$TRADER', risk: '$RISK', operator: '$OPERATOR', lines };
  }
  const ttlSeconds = DAY_SECONDS;
  const risk = await mint({ subject: 'risk-desk', scopes: ['read:risk'], ttlSeconds });
  const operator = await mint({
    subject: 'operator',
    scopes: ['read:risk', 'read:audit', 'write:feed', 'write:admin'],
    ttlSeconds,
  });
  // What the operator proposes takes another person to approve: alone with a demonstration, one is both.
  const approver = await mint({
    subject: 'approver',
    scopes: ['read:risk', 'read:audit', 'approve:admin'],
    ttlSeconds,
  });
  const lines = ['Tokens for a day:', `  risk desk: ${risk}`, `  operator: ${operator}`, `  approver: ${approver}`];
  if (traderId === null) return { trader: risk, risk, operator, lines };
  const trader = await mint({ subject: traderId, scopes: ['read:account'], traderId, ttlSeconds });
  return { trader, risk, operator, lines: [...lines, `  trader ${traderId}: ${trader}`] };
}

function databaseLine({ version, dataDir }: WelcomeInput['database']): string {
  return `PostgreSQL ${version}${dataDir === null ? ' at DATABASE_URL' : `, data in ${dataDir}`}`;
}

function ask(query: string): string {
  return JSON.stringify({ query });
}

function curl(url: string, token: string, body: string): string {
  return `curl -s ${url} -H "authorization: Bearer ${token}" -H 'content-type: application/json' -d '${body}'`;
}
