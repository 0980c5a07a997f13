/**
 * The mail server's port on a real SMTP server (smtp-server) with certificates of a real authority made for this run, from Node and
 * from inside workerd.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OutgoingMail, SmtpConfig } from '../../shared/ports/mail.ts';
import { startSilent, startSmtp, type SilentService, type SmtpService } from '../services/smtp.ts';
import { certificates, RUNTIMES } from './mail-runtimes.ts';

const ACCOUNT = { user: 'gate', password: 'a rather long pass%word' };

const MAIL: OutgoingMail = {
  from: { name: 'Exämple', address: 'no-reply@example.org' },
  replyTo: null,
  to: 'alice@example.org',
  subject: 'Hello',
  text: 'Hello\n.\n.dots at the start of lines\n',
  html: '<p>Hello</p>',
  messageId: '<one@example.org>',
  date: new Date(Date.UTC(2030, 0, 1)),
  headers: [],
};

const ANY = expect.any(String) as unknown;

const numbered = (n: number): OutgoingMail => ({
  ...MAIL,
  messageId: `<n${n}@example.org>`,
  subject: `Number ${n}`,
});

describe.each(RUNTIMES)('mail from $name', (kind) => {
  const services: { close(): Promise<void> }[] = [];
  const config = ({ port }: { readonly port: number }, more: Partial<SmtpConfig> = {}): SmtpConfig => ({
    host: 'localhost',
    port,
    security: 'starttls',
    credentials: null,
    caFile: 'authority.pem',
    ...more,
  });
  const started = async <S extends { close(): Promise<void> }>(starting: Promise<S>): Promise<S> => {
    const service = await starting;
    services.push(service);
    return service;
  };
  let starttls: SmtpService;
  let implicit: SmtpService;
  let plain: SmtpService;
  let silent: SilentService;
  let half: SilentService;
  beforeAll(async () => {
    await kind.start();
    const { good: certificate } = certificates;
    starttls = await started(startSmtp({ certificate, account: ACCOUNT }));
    implicit = await started(startSmtp({ certificate, implicit: true }));
    plain = await started(startSmtp());
    silent = await started(startSilent());
    half = await started(startSilent('220 half'));
  });
  afterAll(async () => {
    await kind.close();
    for (const service of services) await service.close();
  });

  it('arrives by STARTTLS, signed in, several over one connection', async () => {
    const before = starttls.connections();
    const result = await kind.run({
      config: config(starttls, { credentials: ACCOUNT }),
      mails: [numbered(1), numbered(2), numbered(3)],
    });
    expect(result).toEqual({
      open: true,
      outcomes: [1, 2, 3].map(() => ({ result: 'accepted', reason: '250 kept as 42', code: 250 })),
    });
    expect(starttls.connections()).toBe(before + 1);
    const mine = starttls.received.splice(0);
    expect(mine.map(({ secure, user, to }) => ({ secure, user, to }))).toEqual(
      [1, 2, 3].map(() => ({ secure: true, user: 'gate', to: ['alice@example.org'] })),
    );
  });

  it('arrives by TLS from the first byte', async () => {
    expect(await kind.run({ config: config(implicit, { security: 'tls' }), mails: [MAIL] })).toMatchObject({
      outcomes: [{ result: 'accepted' }],
    });
    expect(implicit.received.splice(0)).toMatchObject([{ secure: true }]);
  });

  it('makes the same bytes each time', async () => {
    await kind.run({ config: config(plain, { security: 'none' }), mails: [MAIL, MAIL] });
    const [one, two] = plain.received.splice(0);
    expect(one!.raw).toBe(two!.raw);
    expect(one!.raw).toContain('\r\n.dots at the start of lines\r\n');
  });

  it('is not sent in the clear where TLS is wanted', async () => {
    const result = await kind.run({ config: config(plain), mails: [MAIL] });
    expect(result).toEqual({
      unavailable: expect.stringMatching(/^the mail server is unavailable: 5\d\d /) as unknown,
    });
    expect(plain.received).toEqual([]);
  });

  it.each(['expired', 'otherHost', 'selfSigned'] as const)(
    'goes to no server whose certificate is %s, by STARTTLS or from the first byte',
    async (which) => {
      for (const security of ['starttls', 'tls'] as const) {
        const service = await started(
          startSmtp({ certificate: certificates[which], implicit: security === 'tls' }),
        );
        const result = await kind.run({ config: config(service, { security }), mails: [MAIL] });
        expect(result).toEqual({ unavailable: ANY });
        expect(service.received).toEqual([]);
      }
    },
  );

  it('goes to no server that is named by an address its certificate does not have', async () => {
    const result = await kind.run({ config: config(starttls, { host: '127.0.0.1' }), mails: [MAIL] });
    expect(result).toEqual({ unavailable: ANY });
  });

  it('waits while the account is wrong, and repeats no password that the server repeats', async () => {
    const credentials = { user: 'gate', password: 'not the right one' };
    const result = await kind.run({ config: config(starttls, { credentials }), mails: [MAIL] });
    expect(result).toEqual({ unavailable: expect.stringContaining('535 no such login …') as unknown });
  });

  it('waits while nobody listens, or whoever does says nothing or half a line', async () => {
    const bounds = { connect: 300 };
    for (const port of [1, silent.port, half.port])
      expect(
        await kind.run({ config: config({ port }, { security: 'none' }), bounds, mails: [MAIL] }),
      ).toEqual({ unavailable: ANY });
  });

  it.each(['mail', 'rcpt', 'data'] as const)(
    'is refused for good by 5yz at %s and waits at 4yz, with the words of the server, and the connection goes on',
    async (at) => {
      for (const [code, result] of [
        [550, 'refused'],
        [451, 'later'],
      ] as const) {
        plain.behave((mail) =>
          mail === undefined || mail.raw.includes('Number 1')
            ? { at, code, text: `no thanks\tfor ${at}` }
            : 'accept',
        );
        const [first, second] = [numbered(1), numbered(2)];
        const session = kind.run({ config: config(plain, { security: 'none' }), mails: [first, second] });
        const refusal = { result, code, reason: `${code} no thanks for ${at}` };
        expect(await session).toEqual({
          open: true,
          outcomes: [
            refusal,
            at === 'data' ? { result: 'accepted', code: 250, reason: '250 kept as 42' } : refusal,
          ],
        });
      }
      plain.behave('accept');
      expect(plain.received.splice(0)).toHaveLength(at === 'data' ? 2 : 0);
    },
  );

  it('waits where the server lets only known clients send, whatever the code', async () => {
    plain.behave({ at: 'mail', code: 530, text: 'sign in first' });
    const result = await kind.run({ config: config(plain, { security: 'none' }), mails: [MAIL] });
    plain.behave('accept');
    expect(result).toMatchObject({ outcomes: [{ result: 'later', code: 530 }] });
  });

  it.each(['close after data', 'stall after data'] as const)(
    'is unknown when servers %s: the end of the message was sent',
    async (behaviour) => {
      plain.behave(behaviour);
      const bounds = { answer: 400, attempt: 2_000 };
      const result = await kind.run({ config: config(plain, { security: 'none' }), bounds, mails: [MAIL] });
      plain.behave('accept');
      expect(result).toMatchObject({ outcomes: [{ result: 'unknown' }], open: false });
    },
  );

  it('is not sent to its end when it is not committed, and the connection is over', async () => {
    const result = await kind.run({
      config: config(plain, { security: 'none' }),
      mails: [{ ...MAIL, commit: 'fails' }, numbered(2)],
    });
    expect(result).toEqual({ outcomes: [{ thrown: 'not committed' }], open: false });
    expect(plain.received).toEqual([]);
  });

  it('goes to addresses beyond ASCII: domains in their ASCII form, names where the server takes them', async () => {
    const result = await kind.run({
      config: config(plain, { security: 'none' }),
      mails: [
        { ...MAIL, to: 'alice@bücher.example' },
        { ...MAIL, to: 'not an address\r\nRCPT TO:<bob@example.org>' },
      ],
    });
    expect(result).toMatchObject({ outcomes: [{ result: 'accepted' }, { result: 'refused' }] });
    const [arrived, ...more] = plain.received.splice(0);
    expect(arrived?.raw).toContain('\r\nTo: alice@xn--bcher-kva.example\r\n');
    expect(more).toEqual([]);
  });
});
