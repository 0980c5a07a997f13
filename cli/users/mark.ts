import { auditInsert } from '../../shared/people/audit.ts';
import { sql } from '../../shared/ports/database.ts';
import { operator, withDatabase } from '../people/ground.ts';
import { print, printJson } from '../terminal.ts';
import { findUser } from './find.ts';

export interface MarkCommand {
  readonly tenant?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export interface ExcludeCommand extends MarkCommand {
  readonly reason: string;
}

/** Excludes a user from the migration: they get no account and no invitation, and count as settled. */
export async function runExclude(who: string, { reason, ...options }: ExcludeCommand): Promise<void> {
  await mark(who, reason, options);
}

/** Takes that back. */
export async function runInclude(who: string, options: MarkCommand): Promise<void> {
  await mark(who, null, options);
}

async function mark(who: string, reason: string | null, options: MarkCommand): Promise<void> {
  const dryRun = options.dryRun === true;
  const excluded = reason !== null;
  const { user, changed } = await withDatabase(async ({ database }) => {
    const user = await findUser(database, who, options.tenant ?? null);
    const differs = excluded
      ? sql`(p.excluded_at is null or p.excluded_reason is distinct from ${reason}::text)`
      : sql`p.excluded_at is not null`;
    if (dryRun) {
      const rows = await database.query(
        sql`select 1 from users u left join sallyport_people p on p.user_id = u.user_id
            where u.user_id = ${user.id} and ${differs}`,
        { parse: () => true },
      );
      return { user, changed: rows.length > 0 };
    }
    const entry = {
      who: operator(),
      what: excluded ? 'excluded' : 'included',
      subject: user.id,
      from: 'cli',
    } as const;
    const count = await database.execute(sql`
      with marked as (
        insert into sallyport_people as p (user_id, excluded_at, excluded_reason)
        select ${user.id}::uuid, case when ${excluded}::boolean then now() end, ${reason}::text
        on conflict (user_id) do update set excluded_at = excluded.excluded_at, excluded_reason = excluded.excluded_reason
          where ${differs}
        returning user_id),
      recorded as (${auditInsert({ ...entry, detail: { reason } }, sql`marked`)})
      select from marked`);
    return { user, changed: count > 0 };
  });
  if (options.json === true) {
    printJson({ user: user.id, excluded, changed, dry_run: dryRun });
    return;
  }
  const done = excluded ? 'excluded' : 'included';
  const state = changed ? (dryRun ? `would be ${done}` : `is ${done} now`) : `is ${done} already`;
  print(`${user.slug} ${user.email} ${state}${dryRun ? ', nothing was changed' : ''}`);
}
