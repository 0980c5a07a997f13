// Makes docs/images/dashboard-{light,dark,phone}.png: the dashboard over a move that is under way, in the Chromium of CHROMIUM_BIN.
// With a folder as argument all pages in all looks, and the sheet of paper, are written there instead.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { seedCrossing } from '../dev/crossing.ts';
import { generateKey } from '../dev/keys.ts';
import { migrate } from '../dev/migrate.ts';
import { startOpenFga } from '../dev/openfga/index.ts';
import { startPostgres } from '../dev/postgres.ts';
import { seed } from '../dev/seed.ts';
import { startServer } from '../functions/node/process.ts';
import { createPlatform } from '../shared/deps.ts';
import { refreshFigures } from '../shared/figures/refresh.ts';

const PORT = 34_917;
const ORIGIN = `http://127.0.0.1:${PORT}`;
const IMAGES = 'docs/images';

interface Look {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly colorScheme: 'light' | 'dark';
  /** Of the picture: what is at the top of the page. */
  readonly tall: number;
}

const LOOKS: readonly Look[] = [
  { name: 'light', width: 1280, height: 900, colorScheme: 'light', tall: 1_780 },
  { name: 'dark', width: 1280, height: 900, colorScheme: 'dark', tall: 1_780 },
  { name: 'phone', width: 380, height: 780, colorScheme: 'light', tall: 1_460 },
];

const PAGES: readonly (readonly [name: string, path: string])[] = [
  ['overview', '/analytics'],
  ['tenants', '/analytics/tenant/'],
  ['tenant', '/analytics/tenant/cobalt'],
  ['wave', '/analytics/wave/friends'],
  ['people', '/analytics/people?state=invited'],
];

async function signedIn(browser: Browser, look: Look, email: string, password: string): Promise<Page> {
  const page = await browser.newPage({
    viewport: { width: look.width, height: look.height },
    colorScheme: look.colorScheme,
    deviceScaleFactor: look.name === 'phone' ? 2 : 1,
  });
  await page.goto(`${ORIGIN}/analytics`);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('#across').waitFor();
  return page;
}

async function draw(
  browser: Browser,
  folder: string | undefined,
  email: string,
  password: string,
): Promise<void> {
  const to = folder ?? IMAGES;
  await mkdir(to, { recursive: true });
  for (const look of LOOKS) {
    const page = await signedIn(browser, look, email, password);
    if (folder === undefined) {
      await page.setViewportSize({ width: look.width, height: look.tall });
      await page.screenshot({ path: join(to, `dashboard-${look.name}.png`) });
      continue;
    }
    for (const [name, path] of PAGES) {
      await page.goto(`${ORIGIN}${path}`);
      await page.screenshot({ path: join(to, `${name}-${look.name}.png`), fullPage: true });
    }
    await page.goto(`${ORIGIN}/analytics`);
    if (look.name === 'light') {
      await writeFile(join(to, 'overview.pdf'), await page.pdf({ preferCSSPageSize: true }));
      await page.emulateMedia({ media: 'print' });
      await page.setViewportSize({ width: 710, height: 1_039 });
      await page.screenshot({ path: join(to, 'overview-paper.png'), fullPage: true });
    }
    await page.context().clearCookies();
    await page.goto(`${ORIGIN}/analytics`);
    await page.screenshot({ path: join(to, `sign-in-${look.name}.png`) });
  }
}

async function main(folder: string | undefined): Promise<void> {
  const [postgres, fga] = await Promise.all([startPostgres(), startOpenFga()]);
  await migrate(postgres.url);
  const { viewer, password } = await seedCrossing(postgres.url);
  const database = createPlatform().database({ kind: 'url', url: postgres.url, endpoint: null });
  await refreshFigures(database);
  await database.close();
  const { storeId, modelId } = await seed({ url: fga.url });
  await fetch(`${fga.url}/stores/${storeId}/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      writes: {
        tuple_keys: [
          { user: `user:${viewer.userId}`, relation: 'viewer', object: 'feature:migration_figures' },
        ],
      },
    }),
  });
  const server = await startServer({
    HOST: '127.0.0.1',
    PORT: String(PORT),
    ENVIRONMENT: 'development',
    LOG_LEVEL: 'error',
    FUNCTIONS: 'auth,analytics',
    PUBLIC_URL: ORIGIN,
    PRODUCT_NAME: 'Inventory',
    MAIL_EVENTS_SECRET: 'of the pictures alone, as nothing else is reached by it',
    UPSTREAM_URL: fga.url,
    OPENFGA_URL: fga.url,
    OPENFGA_STORE_ID: storeId,
    OPENFGA_MODEL_ID: modelId,
    OPENFGA_MODEL: 'off',
    KANIDM_ISSUER_URL: 'http://127.0.0.1:1/oauth2/openid/inventory',
    KANIDM_AUDIENCE: 'inventory',
    KANIDM_CLIENT_ID: 'inventory',
    MIGRATION_PROVIDER: 'kanidm',
    ACCESS_RULES: JSON.stringify([{ path: '/me', method: 'GET', feature: 'authenticated' }]),
    ASSERTION_KEYS: JSON.stringify({ keys: [await generateKey('ES256', 'pictures')] }),
    DATABASE_URL: postgres.url,
    PASSWORD_COST: '4',
  });
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  try {
    await draw(browser, folder, viewer.email, password);
  } finally {
    await browser.close();
    await server.close();
    await Promise.all([postgres.close(), fga.close()]);
  }
}

await main(process.argv[2]);
