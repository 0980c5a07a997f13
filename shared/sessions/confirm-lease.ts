import * as z from 'zod';
import { DatabaseUnavailable, sql, type Database } from '../ports/database.ts';
import type { SessionRow } from './store.ts';

/** Longer than the calls to the provider and the database take together. */
export const LEASE_SECONDS = 30;

interface LeaseDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
}

export const BUSY = { state: 'busy' } as const;

export type Lease =
  | typeof BUSY
  | { readonly state: 'moved' }
  /** As they are now: what was read before may be older than what the last holder kept. */
  | { readonly state: 'held'; readonly providerToken: string | null; readonly confirmedAt: Date | null };

const LeaseRow = z.object({
  generation: z.number().nullable(),
  held: z.boolean(),
  providerToken: z.string().nullable(),
  confirmedAt: z.date().nullable(),
});

/**
 * A lease on the session's row. A holder that takes it again has it: its answer was lost, or giving it back failed. One that died
 * leaves it to the next after its time.
 */
export async function take(
  { sessionId, generation }: SessionRow,
  holder: string,
  { database }: LeaseDeps,
): Promise<Lease> {
  const [row] = await database.query(
    sql`with living as (
        select f.generation from sallyport_sessions f join sessions s on s.session_id = f.session_id
        where f.session_id = ${sessionId}::uuid and not s.revoked
      ), held as (
        update sallyport_sessions f set confirming_by = ${holder}::uuid,
          confirming_until = now() + interval '1 second' * ${LEASE_SECONDS}::int
        from living where f.session_id = ${sessionId}::uuid and f.generation = ${generation}
          and (f.confirming_by is null or f.confirming_by = ${holder}::uuid or f.confirming_until < now())
        returning f.provider_token, f.confirmed_at
      )
      select (select generation from living) as generation, exists (select from held) as held,
        (select provider_token from held) as "providerToken", (select confirmed_at from held) as "confirmedAt"`,
    LeaseRow,
  );
  if (row?.generation !== generation) return { state: 'moved' };
  const { held, providerToken, confirmedAt } = row;
  return held ? { state: 'held', providerToken, confirmedAt } : BUSY;
}

/** A database that is away lets it run out; its holder takes it again before that. */
export async function give(sessionId: string, holder: string, { database }: LeaseDeps): Promise<void> {
  try {
    await database.execute(
      sql`update sallyport_sessions set confirming_by = null
          where session_id = ${sessionId}::uuid and confirming_by = ${holder}::uuid`,
    );
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
  }
}
