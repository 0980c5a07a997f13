/** Settings the code relies on, whatever `alter database … set` and `alter role … set`. */
const SETTINGS: Readonly<Record<string, string>> = {
  array_nulls: 'on',
  bytea_output: 'hex',
  datestyle: 'ISO, MDY',
  default_transaction_isolation: 'read committed',
  extra_float_digits: '1',
  intervalstyle: 'postgres',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
  timezone: 'UTC',
};

/**
 * PgBouncer tracks these per client, by the server's ParameterStatus messages; a SET of any other would stay on a connection
 * that other clients share.
 */
const KEPT_BY_POOLERS = ['datestyle', 'standard_conforming_strings', 'timezone'];

export type SettingsScope =
  /** For the life of the connection: only where it is the server's own. */
  | 'session'
  /** For the current transaction: valid everywhere. */
  | 'transaction'
  /** For the client of a transaction pooler, between transactions. */
  | 'pooled session';

/** One statement without parameters. `statementTimeoutMs`: 0 = no bound; absent = unchanged. */
export function settingsStatement(scope: SettingsScope, statementTimeoutMs?: number): string {
  const wanted = Object.entries(SETTINGS);
  if (statementTimeoutMs !== undefined) wanted.push(['statement_timeout', String(statementTimeoutMs)]);
  const calls = wanted
    .filter(([name]) => scope !== 'pooled session' || KEPT_BY_POOLERS.includes(name))
    .map(([name, value]) => `set_config('${name}', '${value}', ${String(scope === 'transaction')})`);
  return `select ${calls.join(', ')}`;
}
