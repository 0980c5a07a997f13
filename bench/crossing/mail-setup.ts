import type { MailConfig } from '../../shared/configuration/mail.ts';

const DOMAIN = 'example.org';
export const FROM = `Bench <no-reply@${DOMAIN}>`;
export const REPLY_TO = `help@${DOMAIN}`;

/** MAIL_RATE is far above what either side reaches, so that it never limits one. */
export function mailConfig(port: number): MailConfig {
  return {
    smtp: { host: '127.0.0.1', port, security: 'none', credentials: null, caFile: null },
    from: { name: 'Bench', address: `no-reply@${DOMAIN}` },
    replyTo: { name: null, address: REPLY_TO },
    rate: { name: 'mail', limit: 10_000_000, windowMs: 60_000 },
  };
}

/** What the n-th invitation is filled with, and where it goes. */
export function valuesOf(
  n: number,
): Readonly<Record<'to' | 'name' | 'link' | 'provider' | 'unsubscribe_link' | 'product', string>> {
  const link = `https://app.${DOMAIN}/invites/${n.toString(16).padStart(43, 'A')}`;
  return {
    to: `user-${n}@${DOMAIN}`,
    name: `User ${n}`,
    link,
    provider: 'Kanidm',
    unsubscribe_link: `${link}/unsubscribe`,
    product: 'Bench',
  };
}
