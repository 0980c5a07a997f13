import * as z from 'zod';
import { DatabaseError, sql } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import type { MigrationFile } from './files.ts';
import { entryFor } from './ledger.ts';
import type { Waiting } from './run-lock.ts';

export interface ExecuteOptions extends Waiting {
  /** Milliseconds a statement may queue for a lock. Later statements queue behind it for as long. */
  readonly lockTimeoutMs: number;
  /** A lock timed out; the statement is retried after a pause. */
  readonly onLockBusy?: (file: MigrationFile, attempt: number) => void;
}

const LOCK_ATTEMPTS = 30;
const LONGEST_PAUSE_MS = 5_000;
const LOCK_NOT_AVAILABLE = '55P03';

/** Runs one file and records it. Returns milliseconds. */
export async function executeMigration(
  session: DatabaseSession,
  file: MigrationFile,
  options: ExecuteOptions,
): Promise<number> {
  const started = options.clock.now();
  const elapsed = (): number => options.clock.now() - started;
  await session.script(`set lock_timeout = ${Math.round(options.lockTimeoutMs)}`);
  if (file.transactional) {
    await patiently(file, options, () => inTransaction(session, file, elapsed));
    return elapsed();
  }
  for (const statement of splitStatements(file.text)) {
    await patiently(file, options, async () => {
      await dropInvalidIndex(session, statement);
      await session.script(statement);
    });
  }
  await session.execute(entryFor(file, 'applied', elapsed()));
  return elapsed();
}

/** The ledger entry is part of the transaction: a crash leaves both or neither. */
async function inTransaction(
  session: DatabaseSession,
  file: MigrationFile,
  elapsed: () => number,
): Promise<void> {
  await session.execute(sql`begin`);
  try {
    await session.script(file.text);
    await session.execute(entryFor(file, 'applied', elapsed()));
    await session.execute(sql`commit`);
  } catch (error) {
    if (error instanceof DatabaseError) await session.execute(sql`rollback`);
    throw error;
  }
}

async function patiently(
  file: MigrationFile,
  options: ExecuteOptions,
  work: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      const busy = error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE;
      if (!busy || attempt >= LOCK_ATTEMPTS) throw error;
    }
    options.onLockBusy?.(file, attempt);
    await options.sleep(Math.min(options.lockTimeoutMs * attempt, LONGEST_PAUSE_MS));
  }
}

const CONCURRENT_INDEX =
  /^create\s+(?:unique\s+)?index\s+concurrently\s+if\s+not\s+exists\s+([a-z_][a-z0-9_]*)\s/im;
const Quoted = z.object({ name: z.string() });

/**
 * An interrupted concurrent build leaves an invalid index, which IF NOT EXISTS would accept.
 * Under the run lock no other run is building it.
 */
async function dropInvalidIndex(session: DatabaseSession, statement: string): Promise<void> {
  const name = CONCURRENT_INDEX.exec(statement)?.[1];
  if (name === undefined) return;
  const invalid = await session.query(
    sql`select indexrelid::regclass::text as name from pg_index
        where indexrelid = to_regclass(${name}) and not indisvalid`,
    Quoted,
  );
  for (const index of invalid) await session.script(`drop index concurrently if exists ${index.name}`);
}

/**
 * One token of SQL (PostgreSQL manual, 4.1): comments, strings with and without escapes, quoted names,
 * dollar-quoted bodies. Nested block comments are not supported; migrations have none.
 */
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|;|[\s\S]/g;

/** The statements of a file, without semicolons; comment-only pieces are dropped. */
export function splitStatements(text: string): string[] {
  const statements: string[] = [];
  let current = '';
  let substance = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === ';') {
      if (substance) statements.push(current.trim());
      current = '';
      substance = false;
    } else {
      current += token;
      substance ||= !/^(?:--|\/\*|\s)/.test(token);
    }
  }
  if (substance) statements.push(current.trim());
  return statements;
}
