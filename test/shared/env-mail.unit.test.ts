import { describe, expect, it } from 'vitest';
import { BRAND, MAIL } from '../../shared/configuration/mail.ts';
import { configure, type Runtime } from '../../shared/configuration/slice.ts';

const slice = MAIL.and(BRAND);
type Text = Readonly<Record<string, string>>;
const FROM = { MAIL_FROM: 'Example <no-reply@example.org>' };

function faults(raw: Text, runtime: Runtime = 'node'): string[] {
  const parsed = configure(slice, raw, runtime);
  return parsed.ok ? [] : parsed.faults.map(({ variable, problem }) => `${variable} ${problem}`);
}

function read(raw: Text) {
  const parsed = configure(slice, raw, 'node');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return { ...parsed.config, warnings: parsed.warnings };
}

describe('MAIL_URL', () => {
  it('is STARTTLS at 587 or TLS at 465, with what its password really is', () => {
    expect(read({ ...FROM, MAIL_URL: 'smtp://u%40x:p%25%2Fw@Mail.example.org' }).mail?.smtp).toEqual({
      host: 'mail.example.org',
      port: 587,
      security: 'starttls',
      credentials: { user: 'u@x', password: 'p%/w' },
      caFile: null,
    });
    expect(read({ ...FROM, MAIL_URL: 'smtps://mail.example.org' }).mail?.smtp).toMatchObject({
      ...{ port: 465, security: 'tls', credentials: null },
    });
    expect(
      read({ ...FROM, MAIL_URL: 'smtp://mail.example.org:2525/?ca=/etc/ca.pem' }).mail?.smtp,
    ).toMatchObject({
      ...{ port: 2525, security: 'starttls', caFile: '/etc/ca.pem' },
    });
  });

  it.each(['127.0.0.1', '127.8.0.1', '[::1]', 'localhost'])('goes without TLS to %s', (host) => {
    const { mail } = read({ ...FROM, MAIL_URL: `smtp://${host}:25?tls=off` });
    expect(mail?.smtp).toMatchObject({ security: 'none', host: host.replace(/[[\]]/g, '') });
  });

  it.each([
    ['smtp://mail.example.org?tls=off', 'tls=off is taken on loopback alone'],
    ['smtp://127.0.0.1.example.org?tls=off', 'tls=off is taken on loopback alone'],
    ['smtp://mail.example.org?tls=no', 'the parameters are tls=off and ca=FILE'],
    ['smtp://mail.example.org?verify=no', 'the parameters are tls=off and ca=FILE'],
    ['smtp://mail.example.org?ca=', 'the parameters are tls=off and ca=FILE'],
    ['smtps://127.0.0.1?tls=off', 'smtps: begins with TLS'],
    ['smtp://user@mail.example.org', 'user and password, or neither'],
    ['smtp://u:%zz@mail.example.org', 'write % in user and password as %25'],
    ['smtp://mail.example.org/path', 'without a path'],
    ['smtp:mail.example.org', 'smtp://user:password@host:587'],
    ['https://mail.example.org', 'write a URL: smtp://… or smtps://…'],
    ['mail.example.org', 'write a URL: smtp://… or smtps://…'],
  ])('refuses %s', (MAIL_URL, problem) => {
    expect(faults({ ...FROM, MAIL_URL }).join('\n')).toContain(problem);
  });

  it('never shows its password in a fault', () => {
    const all = faults({ MAIL_URL: 'smtp://user:hush-hush@mail.example.org/x?tls=off&y=1' }).join('\n');
    expect(all).not.toBe('');
    expect(all).not.toContain('hush');
  });

  it('needs a sender, and on Workers no file', () => {
    expect(faults({ MAIL_URL: 'smtp://mail.example.org' })).toEqual([
      'MAIL_FROM is missing: MAIL_URL sends nothing without a sender, as in MAIL_FROM=Example <no-reply@example.org>',
    ]);
    const MAIL_URL = 'smtp://mail.example.org?ca=/etc/ca.pem';
    expect(faults({ ...FROM, MAIL_URL }, 'workers').join()).toContain('a Worker has none');
    expect(faults({ ...FROM, MAIL_URL })).toEqual([]);
  });

  it('names a file of authorities that must be one', () => {
    const parsed = configure(slice, { ...FROM, MAIL_URL: 'smtp://mail.example.org?ca=ca.pem' }, 'node');
    const files = { runtime: 'node', parseModel: null, readFolder: () => new Map() } as const;
    const problems = (readText: () => string) =>
      parsed.texts({ ...files, readText }).map(({ problem }) => problem);
    expect(problems(() => '-----BEGIN CERTIFICATE-----\n')).toEqual([]);
    expect(problems(() => 'nothing')).toEqual(['names a file without a certificate in PEM']);
    expect(
      problems(() => {
        throw Object.assign(new Error('no'), { code: 'ENOENT' });
      }),
    ).toEqual([expect.stringContaining('"ca.pem", which cannot be read')]);
  });

  it('sends nothing while it is absent, and says that it needs a database', () => {
    expect(read({}).mail).toBeNull();
    expect(read(FROM).mail).toBeNull();
    expect(read({ ...FROM, MAIL_URL: 'smtp://mail.example.org' }).warnings).toEqual([
      {
        variable: 'MAIL_URL',
        problem: 'is set without DATABASE_URL: mails wait in a table, so none is sent',
      },
    ]);
  });
});

describe('MAIL_FROM and its like', () => {
  const from = (text: string) => read({ MAIL_URL: 'smtp://mail.example.org', MAIL_FROM: text }).mail?.from;

  it('is an address, with a name or without', () => {
    expect(from('a@example.org')).toEqual({ name: null, address: 'a@example.org' });
    expect(from('Exämple, Inc. <a.b+c@bücher.example>')).toEqual({
      name: 'Exämple, Inc.',
      address: 'a.b+c@bücher.example',
    });
    expect(from('"The Team" <a@example.org>')).toEqual({ name: 'The Team', address: 'a@example.org' });
  });

  it.each([
    'nobody',
    'a@',
    '@b',
    'a b@c',
    'a@b@c',
    'X <a@b',
    'a..b@c',
    '.a@b',
    'a@b,c@d',
    'A\u0000 <a@b>',
    'A <a@b>\r\nBcc: x@y',
  ])('refuses %j', (text) => {
    expect(faults({ MAIL_URL: 'smtp://mail.example.org', MAIL_FROM: text })).not.toEqual([]);
    expect(faults({ MAIL_REPLY_TO: text, ...FROM })).not.toEqual([]);
  });

  it('and MAIL_RATE, SUPPORT_EMAIL, MIGRATION_GUIDE_URL, PRODUCT_NAME are checked, used or not', () => {
    expect(
      faults({
        MAIL_RATE: 'fast',
        SUPPORT_EMAIL: 'Support <s@example.org>',
        MIGRATION_GUIDE_URL: 'javascript:alert(1)',
        PRODUCT_NAME: 'x'.repeat(101),
      }).map((fault) => fault.split(' ')[0]),
    ).toEqual(['MAIL_RATE', 'PRODUCT_NAME', 'SUPPORT_EMAIL', 'MIGRATION_GUIDE_URL']);
    expect(read({ ...FROM, MAIL_URL: 'smtp://mail.example.org' }).mail?.rate).toMatchObject({
      limit: 60,
      windowMs: 60_000,
    });
  });
});

describe('the name of the product', () => {
  it('is the host of PUBLIC_URL, and support is where answers go', () => {
    expect(
      read({ PUBLIC_URL: 'https://app.example.org', MAIL_REPLY_TO: 'Team <help@example.org>' }).brand,
    ).toEqual({ product: 'app.example.org', supportEmail: 'help@example.org', guideUrl: null });
    expect(read(FROM).brand.product).toBe('example.org');
    expect(read({ PRODUCT_NAME: 'Inventory', SUPPORT_EMAIL: 's@example.org' }).brand).toMatchObject({
      ...{ product: 'Inventory', supportEmail: 's@example.org' },
    });
  });
});
