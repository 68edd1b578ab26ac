import type { Sql } from './db/connect.js';
import type { OpenDatabase } from './db/open-database.js';
import { readSights } from './db/read-welcome.js';
import { dropOperation } from './demo/drop.js';

export interface WelcomeInput {
  readonly url: string;
  readonly database: Pick<OpenDatabase, 'readerUrl' | 'dataDir' | 'version'>;
  readonly hasDemo: boolean;
}

/** Of a process that serves no GraphQL. */
export function welcomeEngine(url: string, database: WelcomeInput['database']): string {
  return `\nBackstop runs the job (health: ${url})\n${databaseLine(database)}\n\n`;
}

/** What runs where, and what to try first, ready to paste. */
export async function welcome(sql: Sql, { url, database, hasDemo }: WelcomeInput): Promise<string> {
  const lines = ['', `Backstop serves GraphQL on ${url} (health: ${new URL('/healthz', url).href})`];
  lines.push(databaseLine(database));
  if (database.readerUrl !== null) lines.push('Inspect it:', `  psql '${database.readerUrl}'`);
  const sights = await readSights(sql);
  if (sights.accountId !== null) {
    const fields =
      'externalId margin { status marginRatio } positions { market { symbol } size adl { state level rank queueLength sizeAhead } }';
    lines.push(
      '',
      'The lights of an account:',
      `  ${curl(url, `{ account(externalId: "${sights.accountId}") { ${fields} } }`)}`,
    );
  }
  if (sights.eventId !== null) {
    lines.push(
      'An ADL event and why:',
      `  npx backstop explain ${sights.eventId}`,
      `  ${curl(url, `{ deleverageEvent(id: "DeleverageEvent:${sights.eventId}") { explanation } }`)}`,
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
      `  ${await dropOperation(sql, url)}`,
    );
    const why =
      '{ deleverageEvents(first: 1) { edges { node { explanation legs(first: 3) { edges { node { explanation } } } } } } }';
    lines.push(`  ${curl(url, why)}`);
  }
  return `${lines.join('\n')}\n\n`;
}

function databaseLine({ version, dataDir }: WelcomeInput['database']): string {
  return `PostgreSQL ${version}${dataDir === null ? ' at DATABASE_URL' : `, data in ${dataDir}`}`;
}

function curl(url: string, query: string): string {
  return `curl -s ${url} -H 'content-type: application/json' -d '${JSON.stringify({ query })}'`;
}
