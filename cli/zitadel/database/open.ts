import { DatabaseError, DatabaseUnavailable } from '../../../shared/ports/database.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { parseDatabaseUrl } from '../../../shared/database/url.ts';
import { OPERATIONS } from '../../../shared/configuration/operations.ts';
import { openSession } from '../../session.ts';
import { Failure } from '../../failure.ts';
import { needed } from '../../operations.ts';
import { interruption } from '../../terminal.ts';
import { configured } from '../../variables.ts';
import { readCatalogue, type Catalogue, type Reader } from './catalogue.ts';
import { readInstances, type Instance } from './instances.ts';

/** A database of Zitadel as it was at one moment. Nothing can be written through it. */
export interface ZitadelDatabase extends Reader {
  /** user@host:port/database */
  readonly shown: string;
  readonly catalogue: Catalogue;
  readonly instances: readonly Instance[];
}

export interface Opening {
  /** Instead of ZITADEL_DATABASE_URL. */
  readonly database?: string | undefined;
  /** What names it in errors; default: --database, or the variable. */
  readonly source?: string;
  /** Bound on each statement, which the server keeps. Default 60 s. */
  readonly statementTimeoutMs?: number;
  /** How much later an answer is waited for: a server that stalls keeps no bound. Default 10 s. */
  readonly graceMs?: number;
}

const STATEMENT_TIMEOUT_MS = 60_000;
const GRACE_MS = 10_000;

/**
 * Runs `work` on Zitadel's database in one read-only transaction, so that all it reads fits together and a pooler may be in between.
 * Ctrl-C cancels the running statement. Throws Failure when the database is away, refuses, or is none of Zitadel's.
 */
export async function withZitadelDatabase<T>(
  opening: Opening,
  work: (zitadel: ZitadelDatabase) => Promise<T>,
): Promise<T> {
  const { database, statementTimeoutMs = STATEMENT_TIMEOUT_MS, graceMs = GRACE_MS } = opening;
  const source = opening.source ?? (database === undefined ? 'ZITADEL_DATABASE_URL' : '--database');
  const url = database ?? urlOfVariable();
  const shown = shownOf(url, source);
  const signal = interruption();
  const session = await orFailure(openSession(url), shown, source);
  const cancel = (): void => {
    session.cancel().catch(() => undefined);
  };
  signal.addEventListener('abort', cancel);
  try {
    const bounded = boundedSession(session, statementTimeoutMs + graceMs);
    return await orFailure(reading(bounded, shown, statementTimeoutMs, work), shown, source);
  } finally {
    signal.removeEventListener('abort', cancel);
    await session.close().catch(() => undefined);
  }
}

type Bounded = Pick<DatabaseSession, 'query' | 'script'>;

/** Rejects where an answer does not come in time; closing the session then cuts the connection. */
function boundedSession(session: DatabaseSession, ms: number): Bounded {
  const inTime = async <T>(work: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new DatabaseUnavailable(`no answer for ${Math.ceil(ms / 1_000)} s`));
      }, ms);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    query: (statement, row) => inTime(session.query(statement, row)),
    script: (text) => inTime(session.script(text)),
  };
}

async function reading<T>(
  session: Bounded,
  shown: string,
  statementTimeoutMs: number,
  work: (zitadel: ZitadelDatabase) => Promise<T>,
): Promise<T> {
  await session.script(
    `begin isolation level repeatable read, read only; set local statement_timeout = ${Math.floor(statementTimeoutMs)}`,
  );
  const reader: Reader = { query: (statement, row) => session.query(statement, row) };
  const catalogue = await readCatalogue(reader);
  const instances = await readInstances(reader, catalogue);
  return work({ ...reader, shown, catalogue, instances });
}

function urlOfVariable(): string {
  const { zitadelDatabaseUrl } = configured(OPERATIONS);
  return needed(zitadelDatabaseUrl, 'ZITADEL_DATABASE_URL', "this reads Zitadel's own database");
}

/** The parts of a URL that may be shown. Throws Failure when it is none of Postgres. */
export function shownOf(url: string, source: string): string {
  try {
    return parseDatabaseUrl(url).shown;
  } catch {
    throw new Failure(`${source} is not a postgres:// URL`);
  }
}

async function orFailure<T>(work: Promise<T>, shown: string, source: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DatabaseError)
      throw new Failure(`${shown}: ${withoutAdvice(error)}${adviceOn(error.code, source)}`, { cause: error });
    if (error instanceof DatabaseUnavailable)
      throw new Failure(`${shown}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The advice in an error's message is about our own database. */
function withoutAdvice({ message }: DatabaseError): string {
  return message.replace(/; (?:are all migrations|the role of|look at the role|the database that).*$/, '');
}

function adviceOn(code: string, source: string): string {
  if (code === '42501')
    return `; the role of ${source} must be able to read all of Zitadel's schemas (pg_read_all_data)`;
  if (code.startsWith('28')) return `; look at the role and the password of ${source}`;
  return code === '3D000' ? `; the database that ${source} names does not exist` : '';
}
