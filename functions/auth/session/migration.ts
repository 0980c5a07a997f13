import * as z from 'zod';
import type { OwnRoute } from '../../../shared/edge/frame.ts';
import { Refusal } from '../../../shared/errors.ts';
import { personDeadlineOf } from '../../../shared/invitations/deadline.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import type { Person } from '../../../shared/people/users.ts';
import { sql } from '../../../shared/ports/database.ts';
import { requireCaller } from '../caller.ts';
import type { AuthDeps } from '../deps.ts';
import { answerJson } from '../http.ts';

/** The earliest deadline that binds a person. Throws as `Database`. */
export async function deadlineOf(
  { userId, tenantId }: Pick<Person, 'userId' | 'tenantId'>,
  { database }: Pick<AuthDeps, 'database'>,
): Promise<Date | null> {
  const deadline = personDeadlineOf(sql`${userId}::uuid`, sql`${tenantId}::uuid`);
  const [row] = await database.query(
    sql`select ${deadline} as deadline`,
    z.object({ deadline: z.date().nullable() }),
  );
  return row?.deadline ?? null;
}

const LATER_DAYS = 7;
const LaterRow = z.object({ invited: z.boolean(), until: z.date().nullable() });

/** Puts reminders of the caller's invitation off for a week, once; those that count from the deadline come all the same. */
export function laterRoute(deps: AuthDeps): OwnRoute {
  return {
    path: '/api/v1/auth/migration/later',
    methods: ['POST'],
    quota: 'coarse',
    async answer(request, context) {
      const { userId } = (await requireCaller(request, context, deps)).session;
      const entry = {
        who: userId,
        what: 'later',
        subject: userId,
        from: context.address,
        run: context.id,
      } as const;
      const [row] = await deps.database.query(
        sql`with invitation as (
              select invitation_id from sallyport_invitations where user_id = ${userId}::uuid and ended_at is null
            ), later as (
              update sallyport_invitations i set later_until = now() + interval '1 day' * ${LATER_DAYS}::int from invitation
              where i.invitation_id = invitation.invitation_id and i.later_until is null returning i.later_until
            ), audited as (${auditInsert(entry, sql`later`)})
            select exists (select from invitation) as invited, (select later_until from later) as until`,
        LaterRow,
      );
      if (row?.invited !== true)
        throw new Refusal('not_found', 'no living invitation of the caller', {
          detail: 'You have no invitation that reminders come of.',
        });
      if (row.until === null)
        throw new Refusal('already_done', 'put off before', {
          detail: 'Reminders were put off once already.',
        });
      return answerJson({ later_until: row.until.toISOString() });
    },
  };
}
