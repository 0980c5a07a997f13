/** The pages of figures in use: sign-in, without scripts, renewal, and who sees what. */
import { expect, it } from 'vitest';
import * as z from 'zod';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql } from '../../shared/ports/database.ts';
import { expectRefusal } from '../support/refusal.ts';
import { openPage, violations } from '../services/chromium.ts';
import { attributes, DESK, pagesSuite, type PagesStage } from './pages.ts';

pagesSuite('pages of figures, used', (stage) => {
  it('leads who is not signed in to both doors, and back to what was asked for', async () => {
    const { page, complaints } = await openPage(stage.browser, stage.origin, DESK);
    await page.goto(stage.url('/analytics/people?state=invited'));
    expect(new URL(page.url()).pathname).toBe('/analytics/sign-in');
    const other = await page.getByRole('link', { name: 'Sign in with Zitadel' }).getAttribute('href');
    expect(new URL(other ?? '', stage.gateway.url).searchParams.get('return_to')).toBe(
      '/analytics/people?state=invited',
    );
    expect(await violations(page)).toEqual([]);
    await page.getByLabel('E-mail').fill(stage.move.viewer.email);
    await page.getByLabel('Password').fill('another one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').filter({ hasText: 'password' }).waitFor();
    // The browser reports the refusal by itself.
    expect(complaints.filter((each) => !each.includes('401'))).toEqual([]);
    await stage.fillIn(page, stage.move.viewer.email);
    await page.waitForURL(stage.url('/analytics/people?state=invited'));
    await page.getByRole('heading', { name: 'Invited' }).waitFor();
    await page.close();
  });

  it('signs out by its button: the session ends, and the page is asked for anew', async () => {
    const { page, complaints } = await stage.signedIn(stage.move.viewer);
    const cookies = await page.context().cookies();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(stage.url('/analytics/sign-in'));
    expect(await page.context().cookies()).toEqual([]);
    const field = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    await expectRefusal(await stage.get('me', { cookie: field }), 'invalid_token');
    await page.goto(stage.url('/analytics'));
    expect(new URL(page.url()).pathname).toBe('/analytics/sign-in');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('is whole without scripts, sign-in included', async () => {
    const context = await stage.browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(stage.url('/analytics'));
    await page.getByLabel('E-mail').fill(stage.move.viewer.email);
    await page.getByLabel('Password').fill('another one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    expect(await page.innerText('body')).toContain('do not fit an account');
    await page.goto(stage.url('/analytics'));
    await stage.fillIn(page, stage.move.viewer.email);
    const bare = await page.innerText('main');
    expect(page.url()).toBe(stage.url('/analytics'));
    const { page: full } = await stage.signedIn(stage.move.viewer);
    expect(await full.innerText('main')).toBe(bare);
    await page.getByText('Table', { exact: true }).first().click();
    expect(await page.locator('#completions table').isVisible()).toBe(true);
    await page.getByRole('link', { name: 'Everybody who is not across, and why' }).click();
    await page.getByRole('heading', { name: 'Not across' }).waitFor();
    await Promise.all([full.close(), context.close()]);
  });

  it('renews by itself what has changed, but not while it is used or hidden', async () => {
    const { page, complaints } = await stage.signedIn(stage.move.viewer, '/analytics', DESK);
    await page.clock.install();
    await page.goto(stage.url('/analytics'));
    const asOf = page.locator('#as-of time');
    const seen = await asOf.getAttribute('datetime');
    const renewed = async (): Promise<void> => {
      const answer = page.waitForResponse(stage.url('/analytics'));
      await page.clock.runFor(30_000);
      await (await answer).finished();
    };
    await page.evaluate('document.querySelector("#tenants-title").dataset.kept = "yes"');
    await stage.database.execute(
      sql`update users set migration_completed_at = now() where user_id in (
              select user_id from users where migration_completed_at is null and status = 'active' limit 100)`,
    );
    await refreshFigures(stage.database);
    await page.locator('#tenants a').first().focus();
    await renewed();
    expect(await asOf.getAttribute('datetime')).toBe(seen);
    await page.evaluate('document.activeElement.blur()');
    await renewed();
    await page.getByRole('status').filter({ hasText: 'Figures renewed' }).waitFor();
    expect(await asOf.getAttribute('datetime')).not.toBe(seen);
    expect(await page.getByRole('status').innerText()).toContain(await page.locator('#across').innerText());
    // Nothing of it has changed since: the part is the one that was there.
    const before = await page.locator('#numbers').innerHTML();
    await page.evaluate('document.querySelector("#numbers-title").dataset.kept = "yes"');
    await renewed();
    expect(await page.locator('#numbers-title').getAttribute('data-kept')).toBe('yes');
    expect(before).not.toBe('');
    await page.evaluate('Object.defineProperty(document, "hidden", { get: () => true })');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.clock.runFor(120_000);
    expect(asked).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows an admin the own tenant alone, and nothing to who is neither', async () => {
    const { page } = await stage.signedIn(stage.move.admin);
    await page.getByRole('heading', { level: 1, name: 'Harbour Supplies' }).waitFor();
    const text = await page.innerText('body');
    for (const other of ['Millrace', 'Northwind', 'bounces>2%', 'mails bounce', 'sallyport '])
      expect(text).not.toContain(other);
    await page.goto(stage.url('/analytics/people'));
    expect(await page.locator('td:nth-child(2)').allInnerTexts()).not.toContain('tiller');
    for (const path of ['/analytics/tenant/cobalt', '/analytics/people?tenant=cobalt']) {
      const refused = await page.goto(stage.url(path));
      expect(refused?.status()).toBe(403);
      await page.getByRole('link', { name: 'Sign in as somebody else' }).waitFor();
      expect(await violations(page)).toEqual([]);
    }
    await page.close();
    await expectRefused(stage, stage.move.viewer.email);
  });

  it('takes nothing inline and nothing from elsewhere by its policy, and lets its assets be kept', async () => {
    const { page } = await stage.signedIn(stage.move.viewer);
    const answer = await page.goto(stage.url('/analytics'));
    const policy = answer?.headers()['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(await page.locator('[style], style, script:not([src])').count()).toBe(0);
    const assets = [
      ...(await attributes(page, 'link[href]', 'href')),
      ...(await attributes(page, 'script[src]', 'src')),
    ];
    expect(assets.length).toBe(3);
    for (const asset of assets) {
      const got = await stage.gateway.fetch(asset);
      expect(got.status).toBe(200);
      expect(got.headers.get('cache-control')).toContain('immutable');
      expect((await stage.gateway.fetch(asset.replace(/-[\da-f]+\./, '-0.'))).status).toBe(404);
    }
    await page.close();
  });
});

/** Of who is neither a viewer nor an admin: a page for a browser, a problem for a program. */
async function expectRefused(stage: PagesStage, email: string): Promise<void> {
  const { rows } = z.object({ rows: z.array(z.object({ email: z.string(), tenant: z.string() })) }).parse({
    rows: await stage.database.query(
      sql`select u.email, t.slug as tenant from users u join tenants t on t.tenant_id = u.tenant_id
            where u.role = 'user' and u.auth_method <> 'kanidm' and u.status = 'active' and u.email <> ${email} limit 1`,
      z.object({ email: z.string(), tenant: z.string() }),
    ),
  });
  const [someone] = rows;
  const signIn = await stage.post('login', { ...someone, password: stage.move.password });
  const { access_token: token } = z.object({ access_token: z.string() }).parse(await signIn.json());
  stage.secrets.push(token.slice(token.lastIndexOf('.') + 1));
  const headers = { authorization: `Bearer ${token}` };
  const page = await stage.gateway.fetch('/analytics', { headers: { ...headers, accept: 'text/html' } });
  expect(page.status).toBe(403);
  expect(await page.text()).toContain('feature:migration_figures');
  const problem = await stage.gateway.fetch('/analytics', { headers });
  expect(problem.headers.get('content-type')).toBe('application/problem+json');
}
