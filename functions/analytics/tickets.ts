import * as z from 'zod';
import type { MailEventsConfig } from '../../shared/configuration/mail-events.ts';
import type { OwnRoute } from '../../shared/edge/frame.ts';
import { jsonBody, text } from '../../shared/edge/json-body.ts';
import { requireSecret } from '../../shared/edge/secrets.ts';
import { isTenant } from '../../shared/people/tenants.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { malformed } from './routes.ts';

const Ticket = z.object({
  id: z.union([text(200), z.number().int().transform(String)]),
  /** Slug or id. */
  tenant: text(100).nullish(),
  at: z.iso.datetime({ offset: true }),
  subject: text(1_000).nullish(),
});

const Booked = z.object({ known: z.boolean(), booked: z.boolean() });

/** Takes a support ticket, once by its id: 202, and 200 for one that was taken before. */
export function ticketsRoute(
  { mailEventsSecret }: MailEventsConfig,
  database: Pick<Database, 'query'>,
): OwnRoute {
  return {
    path: '/analytics/tickets',
    methods: ['POST'],
    quota: 'refusals',
    async answer(request, context) {
      requireSecret(request, mailEventsSecret, 'MAIL_EVENTS_SECRET');
      const { id, tenant = null, at, subject = null } = await jsonBody(context, Ticket);
      const [row] = await database.query(
        sql`with named as (select t.tenant_id from tenants t where ${tenant === null ? sql`false` : isTenant(tenant)}),
            booked as (
              insert into sallyport_tickets (id, tenant_id, at, subject)
              select ${id}::text, (select tenant_id from named limit 1), ${at}::timestamptz, ${subject}::text
              where ${tenant}::text is null or exists (select from named)
              on conflict (id) do nothing returning 1
            )
            select ${tenant}::text is null or exists (select from named) as known, exists (select from booked) as booked`,
        Booked,
      );
      if (row?.known !== true) throw malformed('tenant: there is no such tenant.');
      const state = row.booked ? 'stored' : 'known';
      return Response.json({ state }, { status: row.booked ? 202 : 200 });
    },
  };
}
