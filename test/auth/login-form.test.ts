import { expect, it } from 'vitest';
import { makeUser, PASSWORD } from './people.ts';
import { authSuite, PUBLIC_URL, type AuthStage } from './suite.ts';

function posted(
  stage: AuthStage,
  fields: Readonly<Record<string, string>>,
  headers: Record<string, string> = {},
): Promise<Response> {
  const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html', ...headers };
  return stage.post('login', new URLSearchParams(fields).toString(), form);
}

authSuite('sign-in by a form', {}, (stage) => {
  it('sets the cookies of a session and leads to a local path, never elsewhere', async () => {
    const { email } = await makeUser(stage.database);
    const given = { email, password: PASSWORD, cookie: 'true', tenant: '' };
    for (const [to, location] of [
      ['/analytics?state=invited', '/analytics?state=invited'],
      ['https://evil.example/', '/'],
      ['//evil.example', '/'],
      ['/\\evil.example', '/'],
    ] as const) {
      const answer = await posted(stage, { ...given, return_to: to }, { 'sec-fetch-site': 'same-origin' });
      expect([answer.status, answer.headers.get('location')]).toEqual([303, location]);
      expect(answer.headers.getSetCookie().length).toBe(2);
      expect(await answer.text()).toBe('');
    }
  });

  it('takes no form of another site, and none that asks for tokens in its answer', async () => {
    const { email } = await makeUser(stage.database);
    const given = { email, password: PASSWORD, cookie: 'true' };
    for (const site of ['cross-site', 'same-site', 'none']) {
      const answer = await posted(stage, given, { 'sec-fetch-site': site });
      expect(answer.status).toBe(403);
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    for (const cookie of ['false', '']) expect((await posted(stage, { ...given, cookie })).status).toBe(400);
  });

  it('refuses by a page that leads back to the form alone, and by a problem where none is asked for', async () => {
    const { email } = await makeUser(stage.database);
    const given = { email, password: 'another one', cookie: 'true' };
    const referer = (value: string) => ({ 'sec-fetch-site': 'same-origin', referer: value });
    const back = await posted(
      stage,
      given,
      referer(`${PUBLIC_URL}/analytics/sign-in?return_to=%2Fanalytics`),
    );
    expect(back.status).toBe(401);
    expect(await back.text()).toContain('href="/analytics/sign-in?return_to=%2Fanalytics"');
    const elsewhere = await posted(stage, given, referer('https://evil.example/analytics'));
    expect(await elsewhere.text()).not.toContain('href');
    const program = await posted(stage, given, { accept: '*/*' });
    expect(program.headers.get('content-type')).toBe('application/problem+json');
  });
});
