import * as z from 'zod';
import { uuidOf } from '../../shared/uuid.ts';
import { sql } from '../../shared/ports/database.ts';
import { UsageError } from '../failure.ts';
import { withDatabase } from '../people/ground.ts';
import { colors, print, printJson } from '../terminal.ts';

export interface ListCommand {
  readonly user?: string;
  readonly what?: string;
  readonly since?: Date;
  readonly limit: number;
  readonly json?: boolean;
}

const Row = z.object({
  at: z.date(),
  who: z.string(),
  what: z.string(),
  subject: z.string().nullable(),
  from: z.string(),
  run: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
});

/** Prints entries of the record, newest first. */
export async function runList({ user, limit, json, ...filter }: ListCommand): Promise<void> {
  const { what = null, since = null } = filter;
  const subject = user === undefined ? null : uuidOf(user);
  if (user !== undefined && subject === null)
    throw new UsageError('--user takes an id: `sallyport users show` finds that of an address');
  const rows = await withDatabase(({ database }) =>
    database.query(
      sql`select at, who, what, subject, source as "from", run, detail from sallyport_audit
          where (${subject}::uuid is null or subject = ${subject}::uuid) and (${what}::text is null or what = ${what}::text)
            and (${since}::timestamptz is null or at >= ${since}::timestamptz)
          order by at desc, id desc limit ${limit}::int`,
      Row,
    ),
  );
  if (json === true) printJson(rows);
  else if (rows.length === 0) print('no entries');
  else for (const row of rows) print(lineOf(row));
}

function lineOf({ at, who, what, subject, from, run, detail }: z.output<typeof Row>): string {
  const about = subject === null || subject === who ? '' : ` about ${subject}`;
  const more = Object.keys(detail).length === 0 ? '' : colors.dim(` ${JSON.stringify(detail)}`);
  return `${at.toISOString()} ${what} by ${who}${about} from ${from}${run === null ? '' : ` (${run})`}${more}`;
}
