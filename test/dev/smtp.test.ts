import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSmtpSink, type SmtpSink } from '../../dev/smtp/index.ts';

const EVIL = '</pre><script>document.title = "taken"</script>';

describe('the mail server of the demo', () => {
  let sink: SmtpSink;
  const get = async (path: string) => fetch(new URL(path, sink.url));
  beforeAll(async () => {
    sink = await startSmtpSink();
    const { port } = new URL(sink.mailUrl);
    const sender = createTransport({ host: '127.0.0.1', port: Number(port), secure: false });
    await sender.sendMail({
      from: 'Example <no-reply@example.org>',
      to: 'alice@example.org',
      subject: `Grüße ${EVIL}`,
      text: `Hello ${EVIL}`,
      html: `<p>Hello</p><script>parent.document.title = "taken"</script><img src="//elsewhere.example/x.png">`,
    });
    sender.close();
  });
  afterAll(() => sink.close());

  it('keeps a mail, and shows its subject, its fields and its text as text', async () => {
    expect(sink.inbox.list('alice@example.org')).toMatchObject([{ id: '1', subject: `Grüße ${EVIL}` }]);
    expect(sink.inbox.list('bob@example.org')).toEqual([]);
    for (const path of ['/', '/mails/1']) {
      const answer = await get(path);
      const page = await answer.text();
      expect(page).toContain('Grüße &lt;/pre&gt;&lt;script&gt;');
      expect(page).not.toContain('<script');
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    }
    expect(await (await get('/mails/1')).text()).toContain(
      'sandbox="allow-popups allow-popups-to-escape-sandbox"',
    );
  });

  it('shows the HTML of a mail where nothing of it runs or is fetched, wherever it is opened', async () => {
    const policy = (await get('/mails/1/html')).headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain('sandbox allow-popups');
    expect(policy).not.toMatch(/script-src|img-src|allow-scripts|allow-same-origin/);
  });

  it('has its mails as JSON and as they came, and no others', async () => {
    expect(await (await get('/mails.json?to=alice@example.org')).json()).toMatchObject([
      { to: ['alice@example.org'] },
    ]);
    expect((await get('/mails/1/raw')).headers.get('content-type')).toContain('text/plain');
    for (const path of ['/mails/2', '/mails/2/html', '/mails/2/raw', '/mails/__proto__'])
      expect((await get(path)).status).toBe(404);
  });
});
