import * as z from 'zod';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { sql } from '../../../shared/ports/database.ts';
import type { Shape } from './content.ts';

/** Definitions of a shape are run unchecked: `restore` has compared the archive's digest with the recorded one. */

/** Adds the columns, empty and without any condition. */
export async function addColumns(
  session: DatabaseSession,
  { columns, accountNotNull }: Shape,
): Promise<void> {
  const added = columns.map(({ name, type }) => `add column ${name} ${type}`);
  if (!accountNotNull) added.push('alter column kanidm_user_id drop not null');
  await session.script(`alter table users ${added.join(', ')}`);
}

/**
 * Postgres prints `IN` as an array with a cast around it, and reads that as casts within: another text to `db verify`, of the same
 * meaning. So the conditions of our own migrations are written as these have them.
 */
const AS_MIGRATED: Readonly<Record<string, string>> = {
  "CHECK (((auth_method)::text = ANY ((ARRAY['password'::character varying, 'kanidm'::character varying, 'dual'::character varying])::text[])))":
    "CHECK (auth_method IN ('password', 'kanidm', 'dual'))",
};

/** Fills what is empty still, and adds the conditions, indexes and comments. */
export async function finishColumns(session: DatabaseSession, shape: Shape): Promise<void> {
  const { columns, constraints, indexes, tableComment } = shape;
  const defaults = columns.filter(({ fallback }) => fallback !== null);
  if (defaults.length > 0)
    await session.script(
      `alter table users ${defaults.map(({ name, fallback }) => `alter column ${name} set default ${fallback ?? ''}`).join(', ')}`,
    );
  for (const { name, notNull, fallback } of columns) {
    if (!notNull) continue;
    if (fallback !== null) await session.script(`update users set ${name} = default where ${name} is null`);
    await session.script(`alter table users alter column ${name} set not null`);
  }
  for (const { name, definition } of constraints)
    await session.script(`alter table users add constraint ${name} ${AS_MIGRATED[definition] ?? definition}`);
  for (const index of indexes) await session.script(index);
  for (const { name, comment } of columns)
    if (comment !== null) await session.script(`comment on column users.${name} is ${literal(comment)}`);
  await session.script(`comment on table users is ${tableComment === null ? 'null' : literal(tableComment)}`);
}

/** With `standard_conforming_strings`, the default since 9.1. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const TriggerRow = z.object({ of: z.string(), name: z.string() });

/** Runs `work` with the triggers of these tables disabled, which would set `updated_at` and count sign-ins again. */
export async function withoutTriggers<T>(
  session: DatabaseSession,
  tables: readonly ('users' | 'sessions')[],
  work: () => Promise<T>,
): Promise<T> {
  const triggers = await session.query(
    sql`select tgrelid::regclass::text as of, quote_ident(tgname) as name from pg_trigger
        where tgrelid = any(${tables}::regclass[]) and not tgisinternal and tgenabled = 'O'`,
    TriggerRow,
  );
  const turn = async (how: string): Promise<void> => {
    for (const { of, name } of triggers) await session.script(`alter table ${of} ${how} trigger ${name}`);
  };
  await turn('disable');
  const done = await work();
  await turn('enable');
  return done;
}
