import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe } from 'vitest';
import { seedCrossing, type Crossing } from '../../dev/crossing.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql } from '../../shared/ports/database.ts';
import { authSuite, type AuthStage } from '../auth/suite.ts';
import {
  chromiumMissing,
  openPage,
  startChromium,
  type Look,
  type WatchedPage,
} from '../services/chromium.ts';
import { FUNCTION_SOCKETS } from '../support/gateway/runtimes.ts';
import { makeViewer } from './suite.ts';

export const EVIL = '<script>document.title = "taken"</script>';
export const DESK: Look = { width: 1280, colorScheme: 'light' };

export interface PagesStage extends AuthStage {
  readonly browser: Browser;
  readonly move: Crossing;
  readonly origin: string;
  url(path: string): string;
  /** Fills in the page of sign-in that is open. */
  fillIn(page: Page, email: string): Promise<void>;
  /** Signed in by the page of sign-in, at what was asked for. */
  signedIn(who: Crossing['viewer'], path?: string, look?: Look): Promise<WatchedPage>;
}

/** The pages of figures over a move that is under way, on each runtime, in a real browser. */
export function pagesSuite(name: string, define: (stage: PagesStage) => void): void {
  const variables = () => ({
    FUNCTIONS: 'auth,analytics',
    PRODUCT_NAME: 'Inventory',
    ZITADEL_OAUTH_CLIENT_ID: 'web',
  });
  describe.skipIf(chromiumMissing)(`${name} (needs chromium)`, () => {
    let browser: Browser;
    let move: Promise<Crossing> | undefined;
    beforeAll(async () => {
      browser = await startChromium();
    });
    afterAll(() => browser.close());
    // A browser needs a gateway that listens.
    authSuite(name, { variables, on: FUNCTION_SOCKETS }, (auth) => {
      const stage = auth as { -readonly [Key in keyof PagesStage]: PagesStage[Key] };
      beforeAll(async () => {
        stage.browser = browser;
        stage.origin = new URL(stage.gateway.url).origin;
        stage.url = (path) => new URL(path, stage.origin).href;
        // Runtimes share one database.
        move ??= seedCrossing(stage.alike['DATABASE_URL'] ?? '');
        stage.move = await move;
        await stage.database.execute(sql`update tenants set name = ${EVIL} where slug = 'cobalt'`);
        // Each has an OpenFGA of its own.
        await makeViewer(stage, `user:${stage.move.viewer.userId}`);
        await refreshFigures(stage.database);
        stage.secrets.push(stage.move.password);
        stage.fillIn = async (page, email) => {
          await page.getByLabel('E-mail').fill(email);
          await page.getByLabel('Password').fill(stage.move.password);
          await page.getByRole('button', { name: 'Sign in' }).click();
        };
        stage.signedIn = async ({ email }, path = '/analytics', look = DESK) => {
          const opened = await openPage(browser, stage.origin, look);
          await opened.page.goto(stage.url(path));
          await stage.fillIn(opened.page, email);
          await opened.page.waitForURL(stage.url(path));
          return opened;
        };
      });
      define(stage);
    });
  });
}

/** Texts of the cells of a section's table. */
export async function tableOf(page: Page, section: string): Promise<string[][]> {
  return page.evaluate(
    `[...document.querySelectorAll('${section} tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))`,
  );
}

export async function attributes(page: Page, selector: string, name: string): Promise<string[]> {
  return page.evaluate(
    `[...document.querySelectorAll('${selector}')].map((each) => each.getAttribute('${name}') ?? '')`,
  );
}
