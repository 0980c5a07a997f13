import * as z from 'zod';
import { CountersUnavailable } from '../errors.ts';
import type { MarkSource, VisitMark } from '../identity/marks.ts';
import { sql, type Database } from '../ports/database.ts';
import type { Log } from '../ports/log.ts';
import type { Mark, Revocations } from '../ports/revocations.ts';
import { uuidOf } from '../uuid.ts';

/**
 * The caller under which a row `s` of sessions is marked, as `sessionOf` names it: `session|<user id>|sid:<session id>`. It begins
 * with that of its user, so that one call of a clustered store reads both.
 */
export const SESSION_CALLER = sql`'session|' || s.user_id || '|sid:' || s.session_id`;
/** An ended session stays ended: no other mark is newer. */
const ENDED: Mark = { version: Number.MAX_SAFE_INTEGER, notBefore: Infinity };
/** Longer than any access token lives (SESSION_TTL), with its leeway. */
const SESSION_MARK_SECONDS = 2 * 3_600;
const AT_ONCE = 50;

export interface MarkDeps {
  readonly revocations: Revocations;
  readonly log: Log;
}

/**
 * Withdraws the access tokens of ended sessions on every instance. The rows of `sessions` say so already: where the store of
 * marks is away, instances read them there, and the store gets the marks once it is back.
 */
export async function markEnded(callers: readonly string[], { revocations, log }: MarkDeps): Promise<void> {
  for (let at = 0; at < callers.length; at += AT_ONCE) {
    const marking = callers
      .slice(at, at + AT_ONCE)
      .map((caller) => revocations.mark(caller, ENDED, SESSION_MARK_SECONDS));
    for (const settled of await Promise.allSettled(marking)) {
      if (settled.status === 'fulfilled') continue;
      if (!(settled.reason instanceof CountersUnavailable)) throw settled.reason;
      log.warn('ended session not marked yet', { reason: settled.reason.message });
    }
  }
}

/** `at` as text: a Date has no microseconds, and rows of one statement differ in their id alone. */
const EndedRow = z.object({ id: z.string(), caller: z.string(), at: z.string() });
const PAGE = 200;
const START = '00000000-0000-0000-0000-000000000000';

/** The ended sessions of the database whose access tokens may not have run out. */
export function sessionMarks(database: Pick<Database, 'query'>): MarkSource {
  return {
    async since(timeMs, visit: VisitMark) {
      let [at, id] = [new Date(timeMs).toISOString(), START];
      for (;;) {
        const page = await database.query(
          sql`select session_id as id, ${SESSION_CALLER} as caller, revoked_at::text as at from sessions s
              where revoked and (revoked_at, session_id) > (${at}::timestamptz, ${id}::uuid)
                and access_token_expires_at > now() - interval '1 minute'
              order by revoked_at, session_id limit ${PAGE}`,
          EndedRow,
        );
        await Promise.all(page.map((row) => visit(row.caller, ENDED)));
        const last = page.at(-1);
        if (last === undefined || page.length < PAGE) return;
        [at, id] = [last.at, last.id];
      }
    },
    async of(caller) {
      const id = uuidOf(/^session\|[^|]+\|sid:(.*)$/.exec(caller)?.[1] ?? '');
      if (id === null) return undefined;
      const [row] = await database.query(
        sql`select session_id as id, ${SESSION_CALLER} as caller, revoked_at::text as at from sessions s
            where session_id = ${id}::uuid and revoked and revoked_at is not null`,
        EndedRow,
      );
      return row === undefined ? undefined : ENDED;
    },
  };
}
