import type { BrandConfig, MailConfig } from '../configuration/mail.ts';
import type { OutgoingMail } from '../ports/mail.ts';
import { fill, type MailTemplate } from './fill.ts';
import { isMailKind, KINDS } from './kinds.ts';
import { contentOf, messageIdOf, type MailContent, type NewMail } from './outbox.ts';
import type { MailTemplates } from './templates.ts';

/** What a row of the outbox has of a mail beside its content. */
export interface MailFrame {
  readonly kind: string;
  readonly recipient: string;
  readonly messageId: string;
  readonly date: Date;
  readonly template: MailTemplate;
}

/** The mail as it is sent: the same frame and content always make the same one. */
export function outgoingMail(frame: MailFrame, { values, from, replyTo }: MailContent): OutgoingMail {
  const { kind, recipient: to, messageId, date, template } = frame;
  return { ...fill(template, values), from, replyTo, to, messageId, date, headers: headersOf(kind, values) };
}

export interface PreviewDeps {
  readonly templates: MailTemplates;
  readonly mail: MailConfig;
  readonly brand: BrandConfig;
}

/** What `enqueue` would send, without a row of it; `date`: its Date field. */
export function previewMail(asked: NewMail, date: Date, deps: PreviewDeps): OutgoingMail {
  const { templates, mail, brand } = deps;
  const { kind, to, tenant, languages, key = 'preview' } = asked;
  const frame = { kind, recipient: to, messageId: messageIdOf(key, mail.from), date };
  return outgoingMail(
    { ...frame, template: templates.find(kind, tenant, languages) },
    contentOf(asked, mail, brand),
  );
}

function headersOf(kind: string, values: MailContent['values']): [string, string][] {
  // RFC 3834 §5: no vacation notice answers it.
  const headers: [string, string][] = [['Auto-Submitted', 'auto-generated']];
  const unsubscribe = values['unsubscribe_link'] ?? '';
  if (isMailKind(kind) && KINDS[kind].bulk && unsubscribe !== '')
    // RFC 2369 §3.2, RFC 8058 §3.1
    headers.push(
      ['List-Unsubscribe', `<${unsubscribe}>`],
      ['List-Unsubscribe-Post', 'List-Unsubscribe=One-Click'],
    );
  return headers;
}
