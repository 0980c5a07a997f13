import { createHash } from 'node:crypto';
import { encode, wrap } from 'nodemailer/lib/qp';
import { asciiDomain, type MailAddress, type OutgoingMail } from '../../ports/mail.ts';

/**
 * The message in RFC 5322 form: text and HTML as multipart/alternative (RFC 2046 §5.1.4), quoted-printable, so that no relay
 * has to convert it. It depends on nothing but its fields: an attempt repeated elsewhere makes the same bytes.
 */
export function formatMessage(mail: OutgoingMail): string {
  // "=_" cannot stand in quoted-printable text (RFC 2045 §6.7).
  const boundary = `=_${createHash('sha256').update(mail.messageId).digest('hex').slice(0, 32)}`;
  const part = (type: string, body: string): string =>
    [
      `--${boundary}`,
      `Content-Type: ${type}; charset=utf-8`,
      'Content-Transfer-Encoding: quoted-printable',
      '',
      wrap(encode(withCrlf(body))),
    ].join('\r\n');
  return [
    ...fieldsOf(mail),
    'MIME-Version: 1.0',
    `Content-Type: multipart/alternative;\r\n boundary="${boundary}"`,
    '',
    part('text/plain', mail.text),
    part('text/html', mail.html),
    `--${boundary}--`,
    '',
  ].join('\r\n');
}

function fieldsOf(mail: OutgoingMail): string[] {
  return [
    `From: ${mailbox(mail.from)}`,
    `To: ${envelopeAddress(mail.to)}`,
    ...(mail.replyTo === null ? [] : [`Reply-To: ${mailbox(mail.replyTo)}`]),
    `Subject: ${encodedText(mail.subject, 'Subject: '.length)}`,
    `Date: ${dateOf(mail.date)}`,
    `Message-ID: ${mail.messageId}`,
    ...mail.headers.map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n]+/g, ' ')}`),
  ];
}

/** RFC 5322 §3.3. */
function dateOf(date: Date): string {
  return date.toUTCString().replace('GMT', '+0000');
}

function withCrlf(text: string): string {
  return text.replaceAll(/\r\n|\r|\n/g, '\r\n');
}

/** The domain in ASCII (RFC 5890); what is before the @ stays, and needs SMTPUTF8 where it is not ASCII. */
export function envelopeAddress(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  if (/^[\x21-\x7e]*$/.test(domain)) return address;
  return `${address.slice(0, at)}@${asciiDomain(domain)}`;
}

function mailbox({ name, address }: MailAddress): string {
  const shown = envelopeAddress(address);
  if (name === null) return shown;
  const phrase = /^[\w !#$%&'*+/=?^`{|}~-]+$/.test(name)
    ? name
    : /^[\x20-\x7e]+$/.test(name)
      ? `"${name.replaceAll(/["\\]/g, '\\$&')}"`
      : encodedText(name, 0);
  return `${phrase} <${shown}>`;
}

const MOST_PER_LINE = 75;

/** Encoded words of RFC 2047 where it is not ASCII; lines of at most 76 characters either way. `used`: of the first line. */
function encodedText(text: string, used: number): string {
  const plain = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  if (/^[\x20-\x7e]*$/.test(plain) && !plain.includes('=?')) return folded(plain, used);
  const words: string[] = [];
  let bytes = Buffer.alloc(0);
  const room = (): number =>
    Math.floor((MOST_PER_LINE - '=?utf-8?B??='.length - (words.length === 0 ? used : 1)) / 4) * 3;
  const flush = (): void => {
    if (bytes.length > 0) words.push(`=?utf-8?B?${bytes.toString('base64')}?=`);
    bytes = Buffer.alloc(0);
  };
  // No word ends within a character (RFC 2047 §5).
  for (const character of plain) {
    const next = Buffer.from(character);
    if (bytes.length + next.length > room()) flush();
    bytes = Buffer.concat([bytes, next]);
  }
  flush();
  return words.join('\r\n ');
}

function folded(text: string, used: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const limit = MOST_PER_LINE - (lines.length === 0 ? used : 1);
    if (line !== '' && line.length + 1 + word.length > limit) {
      lines.push(line);
      line = word;
    } else
      line = line === '' && lines.length === 0 && word === '' ? '' : line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.join('\r\n ');
}
