import { closeSql, openSql, type Sql } from '../../src/db/connect.js';

/** A connection that writes past the service, in transactions that may stay open for long. */
export class RawWriter {
  readonly #sql: Sql;
  #isOpen = false;
  #hasSavepoint = false;

  constructor(url: string) {
    this.#sql = openSql(url, { max: 1 });
  }

  close(): Promise<void> {
    return closeSql(this.#sql);
  }

  /** What cannot be now is passed over. */
  async steer(kind: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollbackTo'): Promise<void> {
    const sql = this.#sql;
    if (this.#isOpen === (kind === 'begin') || (kind === 'rollbackTo' && !this.#hasSavepoint)) return;
    this.#isOpen = kind !== 'commit' && kind !== 'rollback';
    this.#hasSavepoint = this.#isOpen && (this.#hasSavepoint || kind === 'savepoint');
    if (kind === 'begin') await sql`begin`;
    else if (kind === 'commit') await sql`commit`;
    else if (kind === 'rollback') await sql`rollback`;
    else if (kind === 'savepoint') await sql`savepoint s`;
    else await sql`rollback to savepoint s`;
  }

  /** Without locking or marking the account: the triggers must see it. */
  async write(
    kind: 'rawBalance' | 'rawPosition' | 'rawClose' | 'rawOpen',
    accountId: string,
    marketId: string,
  ): Promise<void> {
    const sql = this.#sql;
    if (kind === 'rawBalance') {
      await sql`
        with written as (
          update balance set amount = amount + 7, sequence = sequence + 1 where account_id = ${accountId}
          returning account_id, asset_id, sequence, amount)
        insert into ledger_entry (account_id, asset_id, sequence, amount, balance_after, kind, cause, cause_id, at)
        select account_id, asset_id, sequence, 7, amount, 'TRANSFER', 'TRANSFER', 1, clock_timestamp() from written`;
    } else if (kind === 'rawClose') {
      await sql`delete from position where account_id = ${accountId} and market_id = ${marketId}`;
    } else if (kind === 'rawOpen') {
      await sql`
        insert into position (account_id, market_id, settlement_asset_id, account_kind, account_mode, size, cost)
        select a.id, m.id, m.settlement_asset_id, a.kind, a.mode, 3, 300.25 from account a, market m
        where a.id = ${accountId} and m.id = ${marketId} and a.kind <> 'INSURANCE_FUND' on conflict do nothing`;
    } else {
      await sql`
        update position set size = case when size = -1 then -2 else size + 1 end, cost = cost + 98.75
        where account_id = ${accountId} and market_id = ${marketId}`;
    }
  }
}
