import { setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import { DatabaseError, DatabaseUnavailable } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { parseDatabaseUrl } from '../../shared/database/url.ts';
import { openSession } from '../deps.ts';
import { Failure } from '../failure.ts';
import { missing } from '../variables.ts';
import { environment, interruption } from '../terminal.ts';
import { PROJECT } from '../input.ts';
import type { Waiting } from './run-lock.ts';

export const MIGRATIONS = join(PROJECT, 'migrations');

export interface Connected {
  readonly session: DatabaseSession;
  /** The URL without its password. */
  readonly shown: string;
  readonly waiting: Waiting;
}

/** Opens a session to DATABASE_URL for one command; Ctrl-C cancels its running statement. */
export async function withSession<T>(work: (connected: Connected) => Promise<T>): Promise<T> {
  const { url, shown } = databaseUrl();
  const signal = interruption();
  const session = await orFailure(openSession(url), shown);
  const cancel = (): void => {
    session.cancel().catch(() => undefined);
  };
  signal.addEventListener('abort', cancel);
  const waiting = {
    clock: { now: () => performance.now() },
    sleep: (ms: number) => setTimeout(ms, undefined, { signal }),
  };
  try {
    return await orFailure(work({ session, shown, waiting }), shown);
  } finally {
    signal.removeEventListener('abort', cancel);
    await session.close().catch(() => undefined);
  }
}

function databaseUrl(): { url: string; shown: string } {
  const url = environment['DATABASE_URL'] ?? '';
  if (url === '') throw missing('DATABASE_URL');
  const { shown, pooled } = address(url);
  if (pooled) throw new Failure(`${shown} is a connection pooler: use the direct address of the database`);
  return { url, shown };
}

function address(url: string): ReturnType<typeof parseDatabaseUrl> {
  try {
    return parseDatabaseUrl(url);
  } catch {
    throw new Failure('DATABASE_URL is not a postgres:// URL');
  }
}

async function orFailure<T>(work: Promise<T>, shown: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const refused = error instanceof Failure ? error.cause : error;
    if (refused instanceof DatabaseError) {
      const message = error instanceof Failure ? error.message : `${shown}: ${refused.message}`;
      throw new Failure(`${message}${grantFor(refused, roleOf(shown))}`, { cause: error });
    }
    if (error instanceof DatabaseUnavailable)
      throw new Failure(`${shown}: ${error.message}`, { cause: error });
    throw error;
  }
}

function roleOf(shown: string): string {
  const role = decodeURIComponent(shown.slice(0, Math.max(0, shown.indexOf('@'))));
  return role === '' ? 'ROLE' : role;
}

const INSUFFICIENT_PRIVILEGE = '42501';

/** Postgres' wording of a missing privilege -> its remedy, to be run by the object's owner. Texts of PostgreSQL 13 to 17. */
const REMEDIES: readonly [RegExp, (name: string, role: string) => string][] = [
  [
    /permission denied for schema ([^\s;]+)/,
    (schema, role) => `grant usage, create on schema ${schema} to ${role};`,
  ],
  [
    /must be owner of (?:table|relation|view|materialized view) ([^\s;]+)/,
    (table, role) =>
      `alter table ${table} owner to ${role};  -- or run this command as the owner of the tables`,
  ],
  [
    /must be owner of (?:function|type|sequence) ([^\s;]+)/,
    (name, role) => `run this command as the owner of ${name}, or make ${role} a member of it`,
  ],
  [
    /permission denied for (?:table|relation|view) ([^\s;]+)/,
    (table, role) => `grant select, insert, update, delete on ${table} to ${role};`,
  ],
  [
    /permission denied for sequence ([^\s;]+)/,
    (name, role) => `grant usage, select on sequence ${name} to ${role};`,
  ],
  [
    /permission denied for function ([^\s;]+)/,
    (name, role) => `grant execute on function ${name} to ${role};`,
  ],
  [
    /permission denied for database ([^\s;]+)/,
    (name, role) => `grant create, temporary on database ${name} to ${role};`,
  ],
  [
    /permission denied to create extension "([^"]+)"/,
    (name) => `create extension if not exists "${name}";  -- by a role that may, then run this command again`,
  ],
];

/** The remedy for a missing privilege; empty for any other error. */
function grantFor(error: DatabaseError, role: string): string {
  if (error.code !== INSUFFICIENT_PRIVILEGE) return '';
  const quoted =
    /^[a-z_][a-z0-9_$]*$/.test(role) || role === 'ROLE' ? role : `"${role.replaceAll('"', '""')}"`;
  for (const [pattern, remedy] of REMEDIES) {
    const name = pattern.exec(error.message)?.[1];
    if (name !== undefined) return `\n  what is missing: ${remedy(name, quoted)}`;
  }
  return '\n  the role of DATABASE_URL lacks a right: run this command as the owner of the database';
}
