import ipaddr from 'ipaddr.js';
import * as z from 'zod';
import type { RatePolicy } from '../ports/counters.ts';
import type { MailAddress, SmtpConfig } from '../ports/mail.ts';
import { broken, slice, type Given } from './slice.ts';
import { lacksDatabase } from './stores.ts';
import { faultsIn, parseUrl, rate, readAs, url } from './values.ts';

export interface MailConfig {
  readonly smtp: SmtpConfig;
  readonly from: MailAddress;
  readonly replyTo: MailAddress | null;
  /** Over all instances. */
  readonly rate: RatePolicy;
}

/** What pages and mails name. */
export interface BrandConfig {
  readonly product: string;
  readonly supportEmail: string | null;
  readonly guideUrl: string | null;
}

/** An address with one @, in the form that SMTP takes without quoting (RFC 5321 §4.1.2, dot-string). */
const ADDRESS = /^[^\s@<>()[\]\\,;:"]{1,64}@[^\s@<>()[\]\\,;:"]{1,253}$/u;
const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

export function isMailAddress(text: string): boolean {
  return ADDRESS.test(text) && !CONTROL.test(text) && !/(?:^|[.@])\.|\.(?:@|$)/.test(text);
}

/** `Name <a@b>` or `a@b`. */
export function parseMailbox(text: string): MailAddress | undefined {
  const [, name = '', inside] = /^([^<>]*)<([^<>]+)>$/.exec(text.trim()) ?? [];
  const address = (inside ?? text).trim();
  if (!isMailAddress(address) || CONTROL.test(name)) return undefined;
  const shown = name.trim().replace(/^"(.*)"$/u, '$1');
  return { name: shown === '' ? null : shown, address };
}

const MAILBOX = 'write an address, as in Example <no-reply@example.org>';
const mailbox = readAs(parseMailbox, MAILBOX);
const address = z.string().refine(isMailAddress, 'write one address, as in support@example.org');

const SMTP_URL = 'write smtp://user:password@host:587 or smtps://user:password@host:465';

const server = url(['smtp:', 'smtps:'])
  .refine((text) => (parseUrl(text)?.hostname ?? 'x') !== '', SMTP_URL)
  .refine((text) => {
    const { pathname = '', hash = '' } = parseUrl(text) ?? {};
    return (pathname === '' || pathname === '/') && hash === '';
  }, `${SMTP_URL}, without a path`)
  .refine((text) => {
    const { username = '', password = '' } = parseUrl(text) ?? {};
    return (username === '') === (password === '');
  }, 'write user and password, or neither of the two')
  .refine((text) => {
    const { username = '', password = '' } = parseUrl(text) ?? {};
    return decoded(username) !== undefined && decoded(password) !== undefined;
  }, 'write % in user and password as %25')
  .refine((text) => {
    const { searchParams = new URLSearchParams() } = parseUrl(text) ?? {};
    return [...searchParams].every(([name, value]) =>
      name === 'tls' ? value === 'off' : name === 'ca' && value !== '',
    );
  }, 'the parameters are tls=off and ca=FILE')
  .refine((text) => isPlain(text) !== true || isLoopback(text), 'tls=off is taken on loopback alone')
  .refine(
    (text) => isPlain(text) !== true || parseUrl(text)?.protocol !== 'smtps:',
    'write smtp: with tls=off, since smtps: begins with TLS',
  )
  .transform(smtpConfig);

function isPlain(text: string): boolean | undefined {
  const parsed = parseUrl(text);
  return parsed && parsed.searchParams.get('tls') === 'off';
}

function isLoopback(text: string): boolean {
  const host = hostOf(text);
  return host === 'localhost' || (ipaddr.isValid(host) && ipaddr.parse(host).range() === 'loopback');
}

/** An address without the brackets that IPv6 has in URLs. */
function hostOf(text: string): string {
  return (parseUrl(text)?.hostname ?? '').toLowerCase().replace(/^\[|\]$/g, '');
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const PORTS: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 };

function smtpConfig(text: string): SmtpConfig {
  const { protocol, port, username, password, searchParams } = new URL(text);
  const plain = searchParams.get('tls') === 'off';
  return {
    host: hostOf(text),
    port: port === '' ? (PORTS[protocol] ?? 25) : Number(port),
    security: protocol === 'smtps:' ? 'tls' : plain ? 'none' : 'starttls',
    credentials:
      username === '' ? null : { user: decoded(username) ?? '', password: decoded(password) ?? '' },
    caFile: searchParams.get('ca'),
  };
}

const EXAMPLES = {
  MAIL_URL: 'smtp://user:password@mail.example.org:587',
  MAIL_FROM: 'Example <no-reply@example.org>',
};

/** Outgoing mail; null without MAIL_URL: then nothing is sent. */
export const MAIL = slice({
  variables: {
    MAIL_URL: server.optional(),
    MAIL_FROM: mailbox.optional(),
    MAIL_REPLY_TO: mailbox.optional(),
    MAIL_RATE: rate('mail').prefault('60/60s'),
  },
  examples: EXAMPLES,
  faults: ({ written, runtime }) =>
    broken(
      [
        written['MAIL_URL'] !== undefined && written['MAIL_FROM'] === undefined,
        'MAIL_FROM',
        'is missing: MAIL_URL sends nothing without a sender',
      ],
      [
        runtime === 'workers' && /[?&]ca=/.test(written['MAIL_URL'] ?? ''),
        'MAIL_URL',
        'names a file by ca=, and a Worker has none: take a server with a publicly trusted certificate',
      ],
    ),
  texts({ written, runtime }, files) {
    const path = parseUrl(written['MAIL_URL'] ?? '')?.searchParams.get('ca');
    if (runtime === 'workers' || path === null || path === undefined || path === '') return [];
    return faultsIn('MAIL_URL', { kind: 'file', path }, files, (text) =>
      text.includes('-----BEGIN CERTIFICATE-----') ? [] : ['names a file without a certificate in PEM'],
    );
  },
  read: (v): { readonly mail: MailConfig | null } => ({
    mail:
      v.MAIL_URL === undefined || v.MAIL_FROM === undefined
        ? null
        : { smtp: v.MAIL_URL, from: v.MAIL_FROM, replyTo: v.MAIL_REPLY_TO ?? null, rate: v.MAIL_RATE },
  }),
  warnings: ({ mail }, given) =>
    broken([
      mail !== null && lacksDatabase(given),
      'MAIL_URL',
      'is set without DATABASE_URL: mails wait in a table, so none is sent',
    ]),
});

export const BRAND = slice({
  variables: {
    PRODUCT_NAME: z
      .string()
      .max(100, 'write at most 100 characters')
      .refine((text) => !CONTROL.test(text), 'write it without control characters')
      .optional(),
    SUPPORT_EMAIL: address.optional(),
    MIGRATION_GUIDE_URL: url(['https:', 'http:']).optional(),
  },
  read: (v, { written }): { readonly brand: BrandConfig } => ({
    brand: {
      product: v.PRODUCT_NAME ?? hostShown(written),
      supportEmail: v.SUPPORT_EMAIL ?? parseMailbox(written['MAIL_REPLY_TO'] ?? '')?.address ?? null,
      guideUrl: v.MIGRATION_GUIDE_URL ?? null,
    },
  }),
});

/** The host of PUBLIC_URL, else the domain that mails come from. */
function hostShown(written: Given['written']): string {
  const host = parseUrl(written['PUBLIC_URL'] ?? '')?.host ?? '';
  if (host !== '') return host;
  return parseMailbox(written['MAIL_FROM'] ?? '')?.address.split('@')[1] ?? 'Sallyport';
}
