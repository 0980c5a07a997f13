/** The demo's inbox in a real browser, wide and narrow, light and dark. */
import { createServer } from 'node:http';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, stop } from '../../dev/listen.ts';
import { startSmtpSink, type SmtpSink } from '../../dev/smtp/index.ts';
import { formatMessage } from '../../shared/adapters/smtp/message.ts';
import { readFolder } from '../../shared/configuration/folder.ts';
import { previewMail } from '../../shared/mail/render.ts';
import { compileTemplates } from '../../shared/mail/templates.ts';
import { BRAND, invitation, mailConfig } from '../mail/stage.ts';
import { chromiumMissing, LOOKS, openPage, startChromium } from '../services/chromium.ts';

const TOKEN = 'Zk3n0f9Jp1xq7V2m8s4tQyWcBhL5aRdE6uGiKoNvTfM';
const evil = (elsewhere: string) =>
  `<p>Hi</p><script>top.document.title = "taken"</script><img src="${elsewhere}"><link rel="stylesheet" href="${elsewhere}">`;

describe.skipIf(chromiumMissing)('the inbox of the demo (needs chromium)', () => {
  let sink: SmtpSink;
  let browser: Browser;
  const fetched: (string | undefined)[] = [];
  const elsewhere = createServer(({ url }, answer) => {
    fetched.push(url);
    answer.end();
  });
  beforeAll(async () => {
    const port = await listen(elsewhere);
    [sink, browser] = await Promise.all([startSmtpSink(), startChromium()]);
    const { values } = invitation(1);
    const link = `https://app.example.org/invites/${TOKEN}`;
    const mail = previewMail(
      { ...invitation(1), values: { ...values, link, unsubscribe_link: `${link}/unsubscribe` } },
      new Date(),
      { templates: compileTemplates(readFolder('config/mail')), mail: mailConfig(25), brand: BRAND },
    );
    const envelope = { from: 'no-reply@example.org', to: [mail.to] };
    await sink.inbox.add({ ...envelope, raw: formatMessage(mail) });
    await sink.inbox.add({
      ...envelope,
      raw: formatMessage({ ...mail, html: evil(`http://127.0.0.1:${port}/x`) }),
    });
  });
  afterAll(async () => {
    await browser.close();
    await sink.close();
    await stop(elsewhere);
  });

  it.each(LOOKS)(
    'shows a mail as HTML, as text and by its fields at $width px, $colorScheme',
    async (look) => {
      const { page, complaints, overflow } = await openPage(browser, sink.url, look);
      await page.goto(sink.url);
      expect(await overflow()).toBe(0);
      await page.getByRole('link', { name: 'Introducing secure sign-in' }).last().click();
      const frame = page.frameLocator('iframe');
      await frame.getByRole('link', { name: 'Set up my account' }).waitFor();
      expect(await frame.getByRole('link', { name: 'No more reminders' }).getAttribute('href')).toContain(
        TOKEN,
      );
      expect(await page.locator('pre').innerText()).toContain(
        `Open this link: https://app.example.org/invites/${TOKEN}`,
      );
      const fields = await page.locator('dl').last().innerText();
      for (const name of [
        'Message-ID',
        'Date',
        'Auto-Submitted',
        'List-Unsubscribe',
        'List-Unsubscribe-Post',
      ])
        expect(fields).toContain(`${name}\n`);
      const background: string = await page
        .frames()[1]!
        .evaluate('getComputedStyle(document.body).backgroundColor');
      expect(background).toBe(look.colorScheme === 'dark' ? 'rgb(21, 21, 20)' : 'rgb(244, 244, 242)');
      expect(await overflow()).toBe(0);
      expect(complaints).toEqual([]);
      await page.close();
    },
  );

  it('runs and fetches nothing of a mail, in its frame and opened alone', async () => {
    const { page, complaints } = await openPage(browser, sink.url, LOOKS[0]!);
    for (const path of ['/mails/2', '/mails/2/html']) {
      await page.goto(new URL(path, sink.url).href);
      const frame = path.endsWith('html') ? page.mainFrame() : page.frames()[1]!;
      expect(await frame.locator('p').innerText()).toBe('Hi');
      expect(await page.title()).not.toBe('taken');
    }
    // The browser says what it did not do.
    expect(complaints.join('\n')).toMatch(/Blocked script execution|Content Security Policy/);
    expect(fetched).toEqual([]);
    await page.close();
  });
});
