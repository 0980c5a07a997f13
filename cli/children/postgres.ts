import { Failure } from '../failure.ts';
import { environment } from '../terminal.ts';

/** How children of PostgreSQL reach a database: libpq's variables, so that no password is in an argument. */
export type PostgresVariables = Readonly<Record<string, string>>;

/** Parameters of a URL, and the variable of libpq that each becomes. PostgreSQL manual, "Environment Variables". */
const PARAMETERS: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  options: 'PGOPTIONS',
};

const CONNECT_SECONDS = '10';

export interface Reached {
  /** Instead of the one in the URL. */
  readonly database?: string;
  /** By which the sessions of the children are found in pg_stat_activity; cut at 63 bytes. */
  readonly applicationName: string;
  /** Settings of every session, as in `{ maintenance_work_mem: '256MB' }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** The variables for a postgres:// URL. `variable` is its name in errors, which never hold the URL. Throws Failure. */
export function postgresVariables(url: string, variable: string, reached: Reached): PostgresVariables {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) throw new Failure(`${variable} is not a postgres:// URL`);
  const found: Record<string, string> = { PGCONNECT_TIMEOUT: CONNECT_SECONDS };
  const take = (name: string, value: string): void => {
    if (value !== '') found[name] = value;
  };
  take('PGHOST', decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, ''));
  take('PGPORT', parsed.port);
  take('PGUSER', decodeURIComponent(parsed.username));
  // As our own sessions do it, where the URL has none.
  take('PGPASSWORD', environment['PGPASSWORD'] ?? '');
  take('PGPASSWORD', decodeURIComponent(parsed.password));
  for (const [parameter, value] of parsed.searchParams) {
    const name = PARAMETERS[parameter];
    if (name !== undefined) take(name, value);
  }
  // The driver's word for TLS without verification.
  if (found['PGSSLMODE'] === 'no-verify') found['PGSSLMODE'] = 'require';
  const options = Object.entries(reached.settings ?? {}).map(
    ([name, value]) => `-c ${name}=${escaped(value)}`,
  );
  take('PGOPTIONS', [found['PGOPTIONS'] ?? '', ...options].join(' ').trim());
  return {
    ...found,
    PGDATABASE: reached.database ?? databaseOf(url),
    PGAPPNAME: reached.applicationName,
    // English messages: errors are quoted, and some are recognised.
    LC_MESSAGES: 'C',
  };
}

/** Within PGOPTIONS a backslash keeps a space or a backslash. */
function escaped(value: string): string {
  return value.replaceAll(/[\\\s]/g, (character) => `\\${character}`);
}

/** The name of the database in a URL; as libpq has it, that of the user where there is none. */
export function databaseOf(url: string): string {
  const { pathname, username } = new URL(url);
  const name = decodeURIComponent(pathname.slice(1));
  return name === '' ? decodeURIComponent(username) : name;
}

/** The same server and role, another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}

/** Seconds until a server counts as gone from which nothing comes any more, where libpq would wait for hours. */
const GONE = 'keepalives_idle=30 keepalives_interval=10 keepalives_count=6 tcp_user_timeout=90000';

/** For `--dbname`: libpq takes a bare name with `=` in it for a connection string. */
export function connectionTo(database: string): string {
  return `dbname='${database.replaceAll(/[\\']/g, (character) => `\\${character}`)}' ${GONE}`;
}
