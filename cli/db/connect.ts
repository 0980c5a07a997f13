import { setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import { DatabaseError, DatabaseUnavailable } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { parseDatabaseUrl } from '../../shared/database/url.ts';
import { openSession } from '../deps.ts';
import { grantFor } from './grants.ts';
import { Failure, missing } from '../failure.ts';
import { interruption } from '../interrupt.ts';
import { PROJECT } from '../project.ts';
import { environment } from '../terminal.ts';
import type { Waiting } from './run-lock.ts';

export const MIGRATIONS = join(PROJECT, 'migrations');

export interface Connected {
  readonly session: DatabaseSession;
  /** The address without its password. */
  readonly shown: string;
  readonly waiting: Waiting;
}

/** Opens a session to DATABASE_URL for one command; Ctrl-C ends its running statement. */
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
