import * as z from 'zod';
import { empty, sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import { dueFrom } from './table.ts';

/** An operator's selection of events. */
export interface Filter {
  readonly status?: 'pending' | 'applied' | 'dead' | undefined;
  readonly subject?: string | undefined;
  readonly type?: string | undefined;
  readonly since?: Date | undefined;
}

const StoredRow = z.object({
  id: z.string(),
  instance_id: z.string(),
  subject: z.string(),
  sequence: z.number().nullable(),
  type: z.string(),
  source: z.string(),
  status: z.string(),
  attempts: z.number(),
  received_at: z.date(),
  occurred_at: z.date().nullable(),
  due_at: z.date(),
  finished_at: z.date().nullable(),
  last_error: z.string().nullable(),
});

const DetailedRow = StoredRow.extend({ organization: z.string().nullable(), payload: z.unknown() });

export type StoredEvent = z.output<typeof StoredRow>;
export type DetailedEvent = z.output<typeof DetailedRow>;

const COLUMNS = sql`id, instance_id, subject, sequence, type, source, status, attempts, received_at, occurred_at, due_at,
  finished_at, last_error`;

type Reader = Pick<Database, 'query'>;

/** Newest first. */
export function listEvents(database: Reader, filter: Filter, limit: number): Promise<StoredEvent[]> {
  return database.query(
    sql`select ${COLUMNS} from sallyport_webhook_events where ${matching(filter)}
        order by received_at desc, id limit ${limit}`,
    StoredRow,
  );
}

export async function showEvent(database: Reader, id: string): Promise<DetailedEvent | undefined> {
  const rows = await database.query(
    sql`select ${COLUMNS}, organization, payload from sallyport_webhook_events where id = ${id}`,
    DetailedRow,
  );
  return rows[0];
}

const Id = z.object({ id: z.string() });

/** Makes events due now with no attempts counted; leased events are left alone. Returns their ids. */
export async function requeue(
  database: Reader,
  filter: Filter & { readonly id?: string | undefined },
  at: Date,
) {
  const rows = await database.query(
    sql`update sallyport_webhook_events
        set status = 'pending', due_at = ${dueFrom(at)}, attempts = 0, finished_at = null, last_error = null
        where ${requeueable(filter)} returning id`,
    Id,
  );
  return rows.map(({ id }) => id);
}

/** Ids that `requeue` would return. */
export async function wouldRequeue(database: Reader, filter: Filter & { readonly id?: string | undefined }) {
  const rows = await database.query(
    sql`select id from sallyport_webhook_events where ${requeueable(filter)}`,
    Id,
  );
  return rows.map(({ id }) => id);
}

function requeueable(filter: Filter & { readonly id?: string | undefined }): Sql {
  const { id } = filter;
  return sql`${matching(filter)} ${id === undefined ? empty : sql`and id = ${id}`}
    and (lease_until is null or lease_until <= now())`;
}

function matching({ status, subject, type, since }: Filter): Sql {
  return sql`true
    ${status === undefined ? empty : sql`and status = ${status}`}
    ${subject === undefined ? empty : sql`and subject = ${subject}`}
    ${type === undefined ? empty : sql`and type = ${type}`}
    ${since === undefined ? empty : sql`and received_at >= ${since}`}`;
}
