import * as z from 'zod';
import type { BrandConfig, MailConfig } from '../configuration/mail.ts';
import { json, sql, type Database, type Sql } from '../ports/database.ts';
import { MIGRATION_SWITCH } from '../people/tenants.ts';
import { asciiDomain, type MailAddress } from '../ports/mail.ts';
import type { Random } from '../ports/runtime.ts';
import type { MailValues } from './fill.ts';
import { KINDS, type MailKindName } from './kinds.ts';
import type { MailTemplates, StoredTemplate } from './templates.ts';

export interface NewMail {
  readonly kind: MailKindName;
  readonly to: string;
  /** The slug of the tenant whose templates and state count. */
  readonly tenant: string | null;
  readonly userId?: string;
  /** What the kind names; PRODUCT_NAME and its like are added. */
  readonly values: MailValues;
  /** Preferred first; English at last. */
  readonly languages?: readonly string[];
  /** Makes the Message-ID: the same key is the same mail, enqueued once. Default: a mail of its own. */
  readonly key?: string;
  /** Seconds after which it is not sent any more. */
  readonly expiresIn?: number;
  /** Names of rows in sallyport_switches: it waits while one stands. Bulk mails wait for that of the migration anyway. */
  readonly heldBy?: readonly string[];
}

/** Mails that go out with the transaction that they are part of, or not at all. */
export interface Outbox {
  /** An insertion of one mail or of many: a statement of the caller's transaction, or one of its CTEs. Throws as `Database`. */
  enqueue(...mails: readonly NewMail[]): Promise<Sql>;
  /** Sends what is due soon, in the background; for after the transaction. Without it the next minute does. */
  nudge(): void;
}

/** Encrypts what a row holds of a mail: links in it let their holder in. */
export interface Seal {
  seal(text: string): Promise<string>;
  /** Undefined for what no key of ours has sealed. */
  open(sealed: string): Promise<string | undefined>;
}

/** What a mail is made of beside its template; fixed when it is enqueued, so that every attempt makes the same bytes. */
const Content = z.object({
  values: z.record(z.string(), z.string()),
  from: z.object({ name: z.string().nullable(), address: z.string() }),
  replyTo: z.object({ name: z.string().nullable(), address: z.string() }).nullable(),
});

export interface MailContent {
  readonly values: MailValues;
  readonly from: MailAddress;
  readonly replyTo: MailAddress | null;
}

/** A compact JWE begins with `ey`, JSON with `{`. */
const PLAIN = /^\{/;

/** Undefined for what cannot be read any more: sealed with keys that are gone. */
export async function openContent(text: string, seal: Seal | null): Promise<MailContent | undefined> {
  const plain = PLAIN.test(text) ? text : await seal?.open(text);
  return plain === undefined ? undefined : Content.safeParse(JSON.parse(plain)).data;
}

export interface OutboxDeps {
  readonly database: Pick<Database, 'execute'>;
  readonly random: Pick<Random, 'uuid'>;
  readonly templates: MailTemplates;
  readonly mail: MailConfig;
  readonly brand: BrandConfig;
  /** Null: no SESSION_KEYS, so that contents are stored as they are. */
  readonly seal: Seal | null;
  readonly nudge: () => void;
}

export function openOutbox(deps: OutboxDeps): Outbox {
  const { database, random, templates, mail, brand, seal, nudge } = deps;
  let stored = false;
  return {
    nudge,
    async enqueue(...mails) {
      if (!stored) await database.execute(storing(templates.all));
      stored = true;
      return insertion(await Promise.all(mails.map(rowOf)));
    },
  };
  async function rowOf(asked: NewMail): Promise<Row> {
    const text = JSON.stringify(contentOf(asked, mail, brand));
    const { digest } = templates.find(asked.kind, asked.tenant, asked.languages);
    const id = random.uuid();
    return {
      ...asked,
      id,
      messageId: messageIdOf(asked.key ?? id, mail.from),
      template: digest,
      content: seal === null ? text : await seal.seal(text),
    };
  }
}

/** The same for the mail and for its preview. */
export function contentOf(
  { values }: Pick<NewMail, 'values'>,
  mail: MailConfig,
  brand: BrandConfig,
): MailContent {
  return { values: { ...brandValues(brand), ...values }, from: mail.from, replyTo: mail.replyTo };
}

function brandValues({ product, supportEmail, guideUrl }: BrandConfig): MailValues {
  return { product, support_email: supportEmail ?? '', guide_url: guideUrl ?? '' };
}

/** RFC 5322 §3.6.4. Throws TypeError for a key that could not stand in one. */
export function messageIdOf(key: string, { address }: MailAddress): string {
  if (!/^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/.test(key))
    throw new TypeError('no key of a mail');
  const domain = address.slice(address.lastIndexOf('@') + 1);
  return `<${key}@${asciiDomain(domain)}>`;
}

/** Stored by their content, so a release with other templates adds its own beside them. */
function storing(templates: readonly StoredTemplate[]): Sql {
  const contents = templates.map(({ subject, text, html }) => json({ subject, text, html }).text);
  return sql`
    insert into sallyport_mail_templates (digest, content)
    select * from unnest(${templates.map(({ digest }) => digest)}::text[], ${contents}::jsonb[])
    on conflict do nothing`;
}

interface Row extends NewMail {
  readonly id: string;
  readonly messageId: string;
  readonly template: string;
  readonly content: string;
}

function insertion(rows: readonly Row[]): Sql {
  const column = <T>(pick: (row: Row) => T): T[] => rows.map(pick);
  return sql`
    insert into sallyport_outbox (id, message_id, kind, template, recipient, tenant_id, user_id, content, urgent, expires_at, held_by)
    select id, message_id, kind, template, recipient, (select tenant_id from tenants where slug = m.slug), user_id, content, urgent,
      now() + interval '1 second' * expires_in, array(select jsonb_array_elements_text(held_by))
    from unnest(
      ${column(({ id }) => id)}::uuid[], ${column(({ messageId }) => messageId)}::text[], ${column(({ kind }) => kind)}::text[],
      ${column(({ template }) => template)}::text[], ${column(({ to }) => to)}::text[], ${column(({ tenant }) => tenant)}::text[],
      ${column(({ userId = null }) => userId)}::uuid[], ${column(({ content }) => content)}::text[],
      ${column(({ kind }) => KINDS[kind].urgent)}::boolean[], ${column(({ expiresIn = null }) => expiresIn)}::int[],
      ${column((row) => JSON.stringify(heldBy(row)))}::jsonb[]
    ) as m (id, message_id, kind, template, recipient, slug, user_id, content, urgent, expires_in, held_by)
    on conflict (message_id) do nothing`;
}

function heldBy({ kind, heldBy: names = [] }: NewMail): readonly string[] {
  return KINDS[kind].bulk ? [MIGRATION_SWITCH, ...names] : names;
}
