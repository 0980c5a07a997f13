/** Mail servers that break the protocol, from Node and from inside workerd: no wait without an end, no mail lost or sent in the clear. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { OutgoingMail, SmtpConfig } from '../../shared/ports/mail.ts';
import { startScripted, type Script, type ScriptedService } from '../services/smtp.ts';
import type { SessionResult } from './mail.contract.ts';
import { times } from '../support/scale.ts';
import { RUNTIMES } from './mail-runtimes.ts';

const MAIL: OutgoingMail = {
  from: { name: null, address: 'no-reply@example.org' },
  replyTo: null,
  to: 'alice@example.org',
  subject: 'Hello',
  text: 'Hello\n',
  html: '<p>Hello</p>',
  messageId: '<one@example.org>',
  date: new Date(Date.UTC(2030, 0, 1)),
  headers: [],
};
const CREDENTIALS = { user: 'gate', password: 'a password of the gate' };
const BOUNDS = { connect: 1_000, answer: 300, attempt: 2_000 };
const UNAVAILABLE = { unavailable: expect.stringContaining('the mail server is unavailable: ') as unknown };

// mail.test.ts beside it has workerd each time.
describe.each(RUNTIMES.slice(0, times(2, 1)))(
  'mail from $name to a server that breaks the protocol',
  (runtime) => {
    let service: ScriptedService | undefined;
    beforeAll(() => runtime.start());
    afterAll(() => runtime.close());
    afterEach(() => service?.close());

    const send = async (script: Script, more: Partial<SmtpConfig> = {}): Promise<SessionResult> => {
      service = await startScripted(script);
      const config: SmtpConfig = {
        ...{ host: 'localhost', port: service.port, security: 'none', credentials: null, caFile: null },
        ...more,
      };
      return runtime.run({ config, bounds: BOUNDS, mails: [MAIL] });
    };

    it('arrives when it breaks nothing', async () => {
      expect(await send({})).toMatchObject({ outcomes: [{ result: 'accepted', code: 250 }], open: true });
      expect(service!.lines).toContain('Message-ID: <one@example.org>');
    });

    it.each([
      ['closes at once', 'close'],
      ['never says a word', 'stall'],
      ['is too busy', '421 later'],
      ['wants nobody', '554 no'],
      ['speaks another protocol', 'HTTP/1.1 400 Bad Request'],
      ['talks without an end', `220 ${'x'.repeat(200_000)}`],
    ])('waits while it %s', async (_what, greeting) => {
      expect(await send({ greeting })).toEqual(UNAVAILABLE);
      expect(service!.lines.filter((line) => /^(?:MAIL|DATA)/.test(line))).toEqual([]);
    });

    it.each([
      ['refuses STARTTLS', { STARTTLS: '454 not now' }],
      ['does not know STARTTLS', { STARTTLS: '502 what' }],
      ['closes at STARTTLS', { STARTTLS: 'close' }],
      ['never answers STARTTLS', { STARTTLS: 'stall' }],
      ['answers STARTTLS and more in the clear', { STARTTLS: '220 go\r\n250-scripted\r\n250 AUTH PLAIN' }],
      ['offers none', { EHLO: '250-scripted\r\n250 AUTH PLAIN LOGIN' }],
    ])('and the password are not sent in the clear when it %s', async (_what, script) => {
      const offered = { EHLO: '250-scripted\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN' };
      const more = { security: 'starttls', credentials: CREDENTIALS } as const;
      expect(await send({ ...offered, ...script }, more)).toEqual(UNAVAILABLE);
      expect(service!.lines.filter((line) => /^(?:AUTH|MAIL|RCPT|DATA)/.test(line))).toEqual([]);
      expect(service!.lines.join('\n')).not.toContain(Buffer.from(CREDENTIALS.password).toString('base64'));
    });

    it.each(['MAIL', 'RCPT', 'DATA'] as const)(
      'comes again when it closes, stalls or gives up at %s: no end of the message was sent',
      async (at) => {
        for (const answer of ['close', 'stall', '421 going down']) {
          const result = await send({ [at]: answer });
          expect(result, answer).toMatchObject({ outcomes: [{ result: 'later' }], open: false });
          expect(service!.lines).not.toContain('.');
          await service!.close();
        }
      },
    );

    it('may have arrived when it closes or stalls after the end, and has not when it gives up there', async () => {
      for (const [body, result] of [
        ['close', 'unknown'],
        ['stall', 'unknown'],
        ['421 going down', 'later'],
        ['552 too large', 'refused'],
      ] as const) {
        expect(await send({ body }), body).toMatchObject({ outcomes: [{ result }] });
        await service!.close();
      }
    });
  },
);
