/** The parts of a database URL that may be shown, and the kind of server they imply. */
export interface DatabaseAddress {
  /** user@host:port/database, without the password and the query. */
  readonly shown: string;
  /** Queried over HTTP on Workers. */
  readonly neon: boolean;
  /** A transaction pooler by its name: no session state outlives a transaction, so no session locks. */
  readonly pooled: boolean;
}

const NEON_HOST = /\.neon\.(?:tech|build)$/;
const POOLED_HOST = /-pooler\./;

/** Throws TypeError, without the URL in its message, when it is not postgres:// or postgresql://. */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    throw new TypeError('DATABASE_URL is not a postgres:// URL');
  }
  const user = url.username === '' ? '' : `${url.username}@`;
  return {
    shown: `${user}${url.host}${url.pathname}`,
    neon: NEON_HOST.test(url.hostname),
    pooled: POOLED_HOST.test(url.hostname),
  };
}
