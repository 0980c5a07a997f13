import * as fc from 'fast-check';
import PostalMime from 'postal-mime';
import { describe, expect, it } from 'vitest';
import { formatMessage } from '../../shared/adapters/smtp/message.ts';
import type { OutgoingMail } from '../../shared/ports/mail.ts';

const MAIL: OutgoingMail = {
  from: { name: 'Example', address: 'no-reply@example.org' },
  replyTo: { name: null, address: 'help@example.org' },
  to: 'alice@example.org',
  subject: 'Hello',
  text: 'Hello\n',
  html: '<p>Hello</p>\n',
  messageId: '<one@example.org>',
  date: new Date(Date.UTC(2030, 0, 2, 3, 4, 5)),
  headers: [['Auto-Submitted', 'auto-generated']],
};

const text = fc.string({ unit: 'grapheme', maxLength: 300 });
/** What a header field can carry: one line, and no white space at its ends, which parsers take away. */
const oneLine = text.map((each) => each.replaceAll(/[\p{Cc}\p{Cf}\p{Z}]+/gu, ' ').trim());

describe('a message', () => {
  it('is ASCII in lines of at most 78 characters, whatever it says', () => {
    fc.assert(
      fc.property(oneLine, text, text, (subject, plain, html) => {
        const message = formatMessage({ ...MAIL, subject, text: plain, html });
        expect(message).toMatch(/^[\x09\x0d\x0a\x20-\x7e]*$/);
        expect(message.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
        const long = message.split('\r\n').filter((line) => line.length > 78 && / /.test(line.slice(1, 78)));
        expect(long).toEqual([]);
      }),
    );
  });

  it('says to another reader what it was made of', async () => {
    await fc.assert(
      fc.asyncProperty(oneLine, oneLine, text, text, async (subject, name, plain, html) => {
        const read = await PostalMime.parse(
          formatMessage({ ...MAIL, subject, text: plain, html, from: { ...MAIL.from, name } }),
        );
        const lines = (each = ''): string => each.replaceAll(/\r\n|\r/g, '\n').trimEnd();
        expect(read.subject ?? '').toBe(subject);
        expect(read.from?.name ?? '').toBe(name);
        expect(lines(read.text)).toBe(lines(plain));
        expect(lines(read.html)).toBe(lines(html));
      }),
    );
  });

  it('has its fields, and no more than its own', async () => {
    const evil = 'x\r\nBcc: bob@example.org\r\n\r\nbody';
    const read = await PostalMime.parse(
      formatMessage({ ...MAIL, subject: evil, headers: [['List-Unsubscribe', evil]] }),
    );
    expect(read.headers.map(({ key }) => key).toSorted()).toEqual([
      'content-type',
      'date',
      'from',
      'list-unsubscribe',
      'message-id',
      'mime-version',
      'reply-to',
      'subject',
      'to',
    ]);
    expect(read).toMatchObject({ messageId: '<one@example.org>', date: '2030-01-02T03:04:05.000Z' });
  });
});
