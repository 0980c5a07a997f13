/** What the pages of invitations look like: wide and narrow, light and dark, in a real browser. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { makeUser } from '../auth/people.ts';
import { authSuite } from '../auth/suite.ts';
import { chromiumMissing, LOOKS, openPage, startChromium, violations } from '../services/chromium.ts';
import { FUNCTION_SOCKETS } from '../support/gateway/runtimes.ts';
import { ALONE, invite, makeWave } from './door.ts';

/** The browser reports each refusal by itself. */
const STATUS = /responded with a status of (404|409|503)/;

describe.skipIf(chromiumMissing)('looked at (needs chromium)', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());

  authSuite('the pages of an invitation', { variables: () => ALONE, on: FUNCTION_SOCKETS }, (stage) => {
    it.each(LOOKS)(
      'have no serious fault for who cannot see or use a pointer, fit, and fetch nothing elsewhere at $width px, $colorScheme',
      async (look) => {
        const user = await makeUser(stage.database, {
          email: `${'a-long-name.'.repeat(5)}${look.width}-${look.colorScheme}@example.org`,
        });
        const wave = await makeWave(stage, { deadline: new Date('2031-05-01T23:59:59.999Z') });
        const { invitation, path } = await invite(stage, user, { wave });
        const origin = new URL(stage.gateway.url).origin;
        const { page, complaints, overflow } = await openPage(browser, origin, look);
        const seen = async (heading: string): Promise<void> => {
          await page.getByRole('heading', { level: 1, name: heading }).waitFor();
          expect([heading, await violations(page), await overflow()]).toEqual([heading, [], 0]);
        };
        const shown = async (address: string, heading: string): Promise<void> => {
          await page.goto(`${origin}${address}`);
          await seen(heading);
        };
        const pressed = (name: string): Promise<void> => page.getByRole('button', { name }).click();
        await shown(path, 'Set up your new sign-in');
        await pressed('Continue to Kanidm');
        await seen('This function is not configured');
        await shown(`${path}/unsubscribe`, 'No more reminders');
        await pressed('No more reminders');
        await page.getByText('You get no more reminders').waitFor();
        await seen('No more reminders');
        await stage.database.execute(
          sql`update sallyport_invitation_steps set spent_at = now() where invitation_id = ${invitation}::uuid`,
        );
        await shown(path, 'Continue to sign in');
        await pressed('Send me a new link');
        await seen('A new link is on its way');
        await stage.database.execute(
          sql`update sallyport_invitations set completed_at = now(), ended_at = now() where invitation_id = ${invitation}::uuid`,
        );
        await shown(path, 'This link does not count');
        await shown(`${path}/survey`, 'You are all set');
        await page.getByLabel('4').check();
        await page.getByLabel('What could be better?').fill('Nothing.');
        await pressed('Send');
        await seen('Thank you');
        expect(complaints.filter((each) => !STATUS.test(each))).toEqual([]);
        await page.close();
      },
    );
  });
});
