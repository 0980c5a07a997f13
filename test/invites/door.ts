import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { invitationToken } from '../../shared/invitations/token.ts';
import { sql } from '../../shared/ports/database.ts';
import { openKeyRing } from '../../shared/sessions/keys.ts';
import { MAILED } from '../auth/mails.ts';
import type { MadeUser } from '../auth/people.ts';
import type { AuthStage } from '../auth/suite.ts';

export const SECRET = 'a long secret of the mail service';

/** Invitations beside sign-in; mails wait in the outbox. */
export const INVITES = {
  ...MAILED,
  NEW_USERS: 'oauth',
  FUNCTIONS: 'auth,invites',
  PRODUCT_NAME: 'Product & Co',
  SUPPORT_EMAIL: 'support@example.org',
  MAIL_EVENTS_SECRET: SECRET,
};

/** The same, and a provider that nothing is asked of. */
export const ALONE = {
  MIGRATION_PROVIDER: 'kanidm',
  KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/app',
  KANIDM_AUDIENCE: 'app',
  KANIDM_CLIENT_ID: 'app',
  ...INVITES,
};

export interface Invited {
  readonly invitation: string;
  readonly messageId: string;
  readonly token: string;
  /** /invites/{token} */
  readonly path: string;
}

export interface InvitedOptions {
  readonly step?: string;
  /** Null: of no wave. */
  readonly wave?: string | null;
  /** Of an earlier step. */
  readonly invitation?: string;
}

type Needs = Pick<AuthStage, 'database' | 'alike' | 'secrets'>;

/** A wave that runs. */
export async function makeWave(
  { database }: Needs,
  options: { readonly deadline?: Date; readonly inviteCode?: boolean } = {},
): Promise<string> {
  const id = randomUUID();
  await database.execute(sql`
    insert into sallyport_waves (wave_id, name, state, cohort, start_at, deadline, invite_code, started_at)
    values (${id}::uuid, ${id}, 'running', '{}', now(), ${options.deadline ?? null}, ${options.inviteCode ?? false}, now())`);
  return id;
}

/** A link that was mailed to a user, as `wave-reminders` makes it; the link before it no longer counts. */
export async function invite(stage: Needs, user: MadeUser, options: InvitedOptions = {}): Promise<Invited> {
  const { step = 'invite', wave = null, invitation = randomUUID() } = options;
  const keys = openKeyRing({ keys: stage.alike['SESSION_KEYS']! });
  const { token, hash } = await invitationToken(keys, invitation, step);
  const messageId = `<${invitation}.${step}@example.org>`;
  stage.secrets.push(token);
  await stage.database.transaction([
    sql`insert into sallyport_invitations (invitation_id, wave_id, user_id, tenant_id, address_hash, queued_at, mailed_at)
        values (${invitation}::uuid, ${wave}::uuid, ${user.userId}::uuid, ${user.tenantId}::uuid,
          sha256(convert_to(lower(${user.email}), 'UTF8')), now(), now()) on conflict do nothing`,
    sql`update sallyport_invitation_steps set superseded_at = now() where invitation_id = ${invitation}::uuid`,
    sql`insert into sallyport_invitation_steps (invitation_id, step, wave_id, token_hash, message_id, expires_at, settled_at, sent_at)
        values (${invitation}::uuid, ${step}, ${wave}::uuid, ${hash}, ${messageId}, now() + interval '7 days', now(), now())`,
  ]);
  return { invitation, messageId, token, path: `/invites/${token}` };
}

const Row = z.object({
  seen: z.boolean(),
  accepted: z.boolean(),
  completed: z.boolean(),
  delivered: z.boolean(),
  end: z.string().nullable(),
  unsubscribed: z.boolean(),
  later_days: z.number().nullable(),
  score: z.number().nullable(),
  text: z.string().nullable(),
});

export async function invitationRow(
  { database }: Needs,
  { invitation }: Invited,
): Promise<z.output<typeof Row>> {
  const [row] = await database.query(
    sql`select seen_at is not null as seen, accepted_at is not null as accepted, completed_at is not null as completed,
          delivered_at is not null as delivered, end_reason as end, unsubscribed_at is not null as unsubscribed,
          round(extract(epoch from later_until - now()) / 86400)::int as later_days, survey_score as score, survey_text as text
        from sallyport_invitations where invitation_id = ${invitation}::uuid`,
    Row,
  );
  return row!;
}

/** As a browser posts a form of a page that sends no referrer. */
export const FORM = {
  'content-type': 'application/x-www-form-urlencoded',
  origin: 'null',
  'sec-fetch-site': 'same-origin',
};

/** A mail that waits in the outbox; its Message-ID. */
export async function mailTo(
  { database }: Needs,
  user: MadeUser,
  kind: string,
  messageId = `<${randomUUID()}@example.org>`,
): Promise<string> {
  await database.execute(
    sql`insert into sallyport_mail_templates (digest, content) values ('t', '{}') on conflict do nothing`,
  );
  await database.execute(sql`insert into sallyport_outbox (message_id, kind, template, recipient, user_id, content, dated_at)
    values (${messageId}, ${kind}, 't', ${user.email}, ${user.userId}, '{}', now() - interval '1 minute')`);
  return messageId;
}
