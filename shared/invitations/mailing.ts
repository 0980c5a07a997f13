import type { MailConfig } from '../configuration/mail.ts';
import type { MailValues } from '../mail/fill.ts';
import { messageIdOf, type NewMail, type Outbox } from '../mail/outbox.ts';
import { addressHash } from '../mail/outcomes.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import type { ProviderName } from '../ports/directory.ts';
import type { KeyRing } from '../sessions/keys.ts';
import { mailKindOf } from './steps.ts';
import { invitationToken } from './token.ts';
import { room } from './pace.ts';
import { waveSwitch, type Wave } from './wave.ts';

/** A link that is to be mailed. */
export interface StepDue {
  readonly invitationId: string;
  /** Null: of a single resend. */
  readonly waveId: string | null;
  readonly step: string;
  readonly userId: string;
  readonly email: string;
  readonly fullName: string | null;
  /** Slug of the tenant. */
  readonly tenant: string;
  /** As a tenant's settings name it; null: English. */
  readonly language: string | null;
  /** The earliest one of tenant and wave. */
  readonly deadline: Date | null;
}

export interface MailingDeps {
  readonly database: Pick<Database, 'transaction'>;
  readonly outbox: Pick<Outbox, 'enqueue'>;
  readonly keyRing: KeyRing;
  readonly mail: Pick<MailConfig, 'from'>;
  readonly publicUrl: string;
  readonly provider: ProviderName | null;
}

export const PROVIDERS: Readonly<Record<ProviderName, string>> = { kanidm: 'Kanidm', zitadel: 'Zitadel' };

export function inviteLink(publicUrl: string, token: string): string {
  return `${publicUrl}/invites/${token}`;
}

/** The mail of a step. Its Message-ID is that of invitation and step, so that it is enqueued once. */
export function mailOfStep(
  due: StepDue,
  token: string,
  { publicUrl, provider }: Pick<MailingDeps, 'publicUrl' | 'provider'>,
): NewMail {
  const { invitationId, waveId, step, email, fullName, tenant, userId, language, deadline } = due;
  const link = inviteLink(publicUrl, token);
  const values: MailValues = {
    name: fullName ?? email,
    link,
    unsubscribe_link: `${link}/unsubscribe`,
    deadline: deadline === null ? '' : deadlineText(deadline, language),
    provider: provider === null ? '' : PROVIDERS[provider],
  };
  return {
    ...{ kind: mailKindOf(step), to: email, tenant, userId, values, key: keyOf(invitationId, step) },
    ...(language !== null && { languages: [language, language.split('-')[0] ?? language] }),
    ...(waveId !== null && { heldBy: [waveSwitch(waveId)] }),
  };
}

function keyOf(invitationId: string, step: string): string {
  return `${invitationId}.${step}`;
}

const DAY_ENDS = 'T23:59:59.999Z';

/** A day where the deadline is the end of one, else the time in UTC as well. */
export function deadlineText(deadline: Date, language: string | null): string {
  const format = (options: Intl.DateTimeFormatOptions): string =>
    formatter(language, { ...options, timeZone: 'UTC' }).format(deadline);
  if (deadline.toISOString().endsWith(DAY_ENDS)) return format({ dateStyle: 'long' });
  return `${format({ dateStyle: 'long', timeStyle: 'short' })} UTC`;
}

function formatter(language: string | null, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(language ?? 'en', options);
  } catch {
    // No language tag (BCP 47).
    return new Intl.DateTimeFormat('en', options);
  }
}

/** Days after which a link whose mail was never sent is of no use to keep. From its mail on it counts for LINK_DAYS. */
const UNSENT_DAYS = 90;

/**
 * Puts mails of one wave, or of none, into the outbox, each with its step: in one transaction, each step once, no more than the pace of the
 * wave has room for, and none while it is not running. The link before it counts until the mail is sent, unless that goes to another address.
 * Returns how many. Throws as `Database`.
 */
export async function queueSteps(
  wave: Pick<Wave, 'id' | 'rate'> | null,
  due: readonly StepDue[],
  deps: MailingDeps,
): Promise<number> {
  if (due.length === 0) return 0;
  const made = await Promise.all(
    due.map(async (each) => {
      const { token, hash } = await invitationToken(deps.keyRing, each.invitationId, each.step);
      const messageId = messageIdOf(keyOf(each.invitationId, each.step), deps.mail.from);
      return { ...each, hash, messageId, mail: mailOfStep(each, token, deps) };
    }),
  );
  const messageIds = made.map(({ messageId }) => messageId);
  const given = sql`select * from unnest(${made.map(({ invitationId }) => invitationId)}::uuid[],
    ${made.map(({ step }) => step)}::text[], ${made.map(({ hash }) => hash)}::bytea[], ${messageIds}::text[],
    ${made.map(({ email }) => email)}::text[]) with ordinality as given (invitation_id, step, token_hash, message_id, email, n)`;
  const results = await deps.database.transaction([
    // A statement of its own: the one after it sees what whoever held the row has queued. A pause waits for the transaction.
    sql`select from sallyport_waves where wave_id = ${wave?.id ?? null}::uuid for update`,
    queueing(wave, given),
    await deps.outbox.enqueue(...made.map(({ mail }) => mail)),
    // What was not queued after all: the wave was paused or has no room, or another instance was first.
    sql`delete from sallyport_outbox o where o.message_id = any(${messageIds}) and o.status = 'pending'
        and not exists (select from sallyport_invitation_steps s where s.message_id = o.message_id)`,
  ]);
  return results[1]?.count ?? 0;
}

/** Inserts the steps, of a wave as far as it is running and its pace has room. */
function queueing(wave: Pick<Wave, 'id' | 'rate'> | null, given: Sql): Sql {
  const goes =
    wave === null
      ? sql`true`
      : sql`given.n <= ${room(wave)} and exists (select from sallyport_waves where wave_id = ${wave.id}::uuid and state = 'running')`;
  return sql`
    with given as (select * from (${given}) as given where ${goes}),
    queued as (
      update sallyport_invitations i set queued_at = coalesce(i.queued_at, now()), address_hash = ${addressHash(sql`given.email`)}
      from given
      where i.invitation_id = given.invitation_id and i.ended_at is null and (given.step <> 'invite' or i.queued_at is null)
        and not exists (select from sallyport_invitation_steps s where s.invitation_id = given.invitation_id and s.step = given.step)
      returning i.invitation_id, i.wave_id, i.address_hash, given.step, given.token_hash, given.message_id
    ),
    elsewhere as (
      -- As it was before this statement: a link that was mailed to another address never counts for the new one.
      update sallyport_invitation_steps s set superseded_at = now() from queued join sallyport_invitations was using (invitation_id)
      where s.invitation_id = queued.invitation_id and s.superseded_at is null and was.address_hash is distinct from queued.address_hash
    )
    insert into sallyport_invitation_steps (invitation_id, step, wave_id, token_hash, message_id, expires_at)
    select invitation_id, step, wave_id, token_hash, message_id, now() + interval '1 day' * ${UNSENT_DAYS}::int from queued
    on conflict (invitation_id, step) do nothing`;
}
