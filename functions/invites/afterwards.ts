import * as z from 'zod';
import { auditInsert } from '../../shared/people/audit.ts';
import { IS_ACROSS, WITHIN_A_YEAR } from '../../shared/invitations/link.ts';
import { PEOPLE, UNSUBSCRIBED } from '../../shared/invitations/people.ts';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import type { InvitesDeps } from './deps.ts';
import { formOf, requireOwnPage } from './http.ts';
import type { Answer } from './invitation.ts';
import {
  deadPage,
  surveyedPage,
  surveyPage,
  unsubscribedPage,
  unsubscribePage,
  type PageDeps,
} from './pages.ts';

const Id = z.object({ id: z.string() });

/**
 * GET asks, POST does: also without cookies and from anywhere, since mail services post for their users (RFC 8058 §3.2). It ends
 * reminders of every invitation of the person, those in the outbox too.
 */
export function unsubscribe({ database }: InvitesDeps, pages: PageDeps): Answer {
  return async ({ hash }, request, { address: from, id: run }) => {
    const known = sql`select i.user_id from sallyport_invitation_steps s
      join sallyport_invitations i on i.invitation_id = s.invitation_id
      where s.token_hash = ${hash ?? new Uint8Array()} and ${WITHIN_A_YEAR}`;
    if (request.method !== 'POST') {
      const rows = await database.query(sql`select user_id as id from (${known}) as known`, Id);
      return rows.length === 0 ? deadPage(pages) : unsubscribePage(pages);
    }
    const entry = { who: 'anonymous', what: 'unsubscribed', from, run } as const;
    const rows = await database.query(
      sql`with known as (${known}), stopped as (
            update sallyport_invitations i set unsubscribed_at = now() from known
            where i.user_id = known.user_id and i.unsubscribed_at is null returning i.user_id
          ), dropped as (
            update sallyport_outbox o set status = 'dead', last_error = 'unsubscribed', content = null, lease_id = null, lease_until = null
            from known where o.user_id = known.user_id and o.kind = 'reminder' and o.status = 'pending'
          ), once as (select distinct user_id from stopped),
          kept as (
            insert into sallyport_people as kept (user_id, flags)
            select u.user_id, jsonb_build_object(${UNSUBSCRIBED}::text, now()) from users u join once on once.user_id = u.user_id
            on conflict (user_id) do update set flags = kept.flags || excluded.flags
          ),
          audited as (${auditInsert(entry, sql`once`, sql`once.user_id`)})
          select user_id as id from known`,
      Id,
    );
    return rows.length === 0 ? deadPage(pages) : unsubscribedPage(pages);
  };
}

const MOST_TEXT = 2_000;

const Survey = z.object({
  score: z
    .string()
    .regex(/^[1-5]$/)
    .transform(Number),
  text: z
    .string()
    .transform((text) => text.replaceAll(/\0/g, '').trim().slice(0, MOST_TEXT))
    .default(''),
});

const Standing = z.object({ answered: z.boolean() });

/** Once per person, after completion; before it, and for what is no token, the neutral page. */
export function survey({ database, sessions: { publicUrl } }: InvitesDeps, pages: PageDeps): Answer {
  return async ({ hash }, request, context) => {
    if (request.method === 'POST') requireOwnPage(request, publicUrl);
    const token = hash ?? new Uint8Array();
    const [standing] = await database.query(sql`select * from (${standingOf(token)}) as standing`, Standing);
    if (standing === undefined) return deadPage(pages);
    if (request.method !== 'POST')
      return standing.answered
        ? surveyedPage(pages, publicUrl, { first: true })
        : surveyPage(pages, publicUrl);
    if (standing.answered) return surveyedPage(pages, publicUrl, { first: false });
    const given = Survey.safeParse(Object.fromEntries(await formOf(context)));
    if (!given.success) return surveyPage(pages, publicUrl, 'Choose a number from 1 to 5.');
    const first = await answer(database, token, given.data);
    return surveyedPage(pages, publicUrl, { first });
  };
}

/** The invitation of a token whose person has completed the move. */
function standingOf(token: Uint8Array): Sql {
  return sql`select i.invitation_id, exists (select from sallyport_invitations o where o.user_id = i.user_id and o.survey_at is not null) as answered
    from sallyport_invitation_steps s join sallyport_invitations i on i.invitation_id = s.invitation_id
      join (${PEOPLE}) on u.user_id = i.user_id
    where s.token_hash = ${token} and ${WITHIN_A_YEAR} and u.deleted_at is null and (i.completed_at is not null or ${IS_ACROSS})`;
}

async function answer(
  database: Pick<Database, 'execute'>,
  token: Uint8Array,
  { score, text }: z.output<typeof Survey>,
): Promise<boolean> {
  const changed = await database.execute(sql`
    update sallyport_invitations i set survey_score = ${score}, survey_text = nullif(${text}, ''), survey_at = now()
    from (${standingOf(token)}) as standing
    where i.invitation_id = standing.invitation_id and not standing.answered and i.survey_at is null`);
  return changed === 1;
}
