import { createHash, randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { expectRefusal } from '../support/refusal.ts';
import {
  expectNothing,
  KANIDM,
  leave,
  makeGroupedTenant,
  memberOf,
  oauthSuite,
  signInAt,
} from './oauth/suite.ts';

oauthSuite('the provider and the browser at their worst', {}, (stage) => {
  it('keys and discovery are not fetched each time, and the provider is called once', async () => {
    const tenant = await makeGroupedTenant(stage.database);
    const account = memberOf(tenant);
    await signInAt(stage.browser(), stage.kanidm, account, KANIDM);
    stage.kanidm.calls();
    for (let i = 0; i < 3; i += 1) await signInAt(stage.browser(), stage.kanidm, account, KANIDM);
    expect(stage.kanidm.calls()).toEqual(['/token', '/token', '/token']);
  });

  it('a key that is new at the provider signs somebody in at once', async () => {
    const tenant = await makeGroupedTenant(stage.database);
    await stage.kanidm.issuer.addKey(randomUUID());
    const answer = await signInAt(stage.browser(), stage.kanidm, memberOf(tenant), KANIDM);
    expect(answer.status).toBe(303);
  });

  it('a provider that is away is 503, leaves the sign-in as it is, and the same answer works once it is back', async () => {
    const tenant = await makeGroupedTenant(stage.database);
    for (const fault of ['status', 'refused', 'garbage'] as const) {
      const account = memberOf(tenant);
      const browser = stage.browser();
      const back = stage.kanidm.approve(await leave(browser, KANIDM), account);
      stage.kanidm.issuer.faults.set('/token', fault);
      await expectRefusal(await browser.get(back), 'identity_provider_unavailable');
      await expectNothing(stage, stage.kanidm, account.sub);
      stage.kanidm.reset();
      expect((await browser.get(back)).status).toBe(303);
    }
  });

  it('a client that the provider does not accept is the operator’s fault, not the person’s', async () => {
    const tenant = await makeGroupedTenant(stage.database);
    for (const tokenFault of [
      { status: 401, body: '' },
      { status: 400, body: '{"error":"unauthorized_client"}' },
      { status: 400, body: '{"error":"invalid_client"}' },
      { status: 404, body: 'not found' },
      { status: 429, body: '' },
    ]) {
      const browser = stage.browser();
      const way = await leave(browser, KANIDM);
      stage.kanidm.tokenFault = tokenFault;
      const answer = await browser.get(stage.kanidm.approve(way, memberOf(tenant)));
      await expectRefusal(answer, 'identity_provider_unavailable');
    }
  });

  it('a person in a browser gets a page that they can read, a program the problem document', async () => {
    const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    const page = await stage.get('oauth/callback/kanidm?state=a&code=b', html);
    expect(page.status).toBe(400);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const text = await page.text();
    expect(text).toContain('<h1>The sign-in cannot be completed</h1>');
    expect(text).toContain('invalid_callback');
    expect(text).toContain('<a href="/api/v1/auth/oauth/authorize?provider=kanidm">Begin again</a>');
    await expectRefusal(
      await stage.get('oauth/callback/kanidm?state=a&code=b', { accept: '*/*' }),
      'invalid_callback',
    );
  });

  it('no parameter and no cookie makes anything but a refusal of it', async () => {
    const browser = stage.browser();
    const state = new URL(await leave(browser, KANIDM)).searchParams.get('state')!;
    const [name = '', sealed = ''] = [...browser.cookies][0] ?? [];
    const texts = [
      '',
      'x',
      '%00',
      '%',
      '%ff%fe',
      '..',
      `${sealed}x`,
      sealed.slice(1),
      '[]',
      '{}',
      'a'.repeat(4_000),
      '💥',
    ];
    for (let i = 0; i < 120; i += 1) {
      const pick = (offset: number) => texts[digestByte(`${i} ${offset}`) % texts.length] ?? '';
      const query = [['state', 'code', 'iss', 'error'][i % 4], ['state', 'code', 'x'][i % 3]]
        .map((key, at) => `${key}=${encodeURIComponent(pick(at)).slice(0, 4_000)}`)
        .join('&');
      const cookie = `${i % 2 ? name : 'sallyport_in_'}=${encodeURIComponent(pick(7))}; ${name}=${i % 5 ? 'a' : sealed.slice(0, -3)}`;
      const answer = await stage.get(`oauth/callback/kanidm?${query}${i % 7 ? `&state=${state}` : ''}`, {
        cookie,
      });
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        400,
        'invalid_callback',
      ]);
    }
  });
});

function digestByte(text: string): number {
  return createHash('sha256').update(text).digest()[0] ?? 0;
}
