import { expect, it } from 'vitest';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite } from '../support/suite.ts';

gatewaySuite('a path is judged as it is forwarded', { onEach: true }, (stage) => {
  it.each([
    ['encoded slash', '/public/..%2fadmin/x'],
    ['encoded slash in capitals', '/public/..%2Fadmin/x'],
    ['encoded dots with an encoded slash', '/public/%2E%2e%2fadmin/x'],
    ['encoded backslash', '/public/%5cadmin'],
    ['NUL', '/public/%00'],
    ['encoded semicolon', '/public/%3b'],
    ['encoded question mark', '/public/%3f'],
    ['encoded number sign', '/public/%23'],
    ['path parameter', '/public/..;/admin/x'],
    ['doubled slash', '/public//admin/x'],
    ['doubled slash in front', '//admin/x'],
    ['double encoding', '/public/%252e%252e%252fadmin/x'],
    ['overlong UTF-8', '/public/%c0%ae%c0%ae/admin/x'],
    ['empty segment before strip_prefix', '/api//v1/x'],
    ['encoded slash behind strip_prefix', '/api/v1/..%2fadmin'],
  ])('%s is refused', async (_name, target) => {
    await expectStopped(stage.gateway.fetch(target), 'invalid_path', stage.upstream);
  });

  it.each([
    ['dot segments', '/public/../admin/x', ['in process', 'workerd']],
    ['dot segments after strip_prefix', '/api/v1/../../admin/x', ['in process', 'workerd']],
    ['encoded dot segments', '/public/%2e%2e/admin/x', ['in process']],
    ['encoded dot segments in capitals', '/public/%2E%2E/admin/x', ['in process']],
  ])('%s never reach the upstream without a token', async (_name, target, collapsing) => {
    // Where a URL parser in front collapses them the path is /admin/x, and judged as that.
    const code = collapsing.includes(stage.runtime) ? 'missing_token' : 'invalid_path';
    await expectStopped(stage.gateway.fetch(target), code, stage.upstream);
  });

  it.each([
    ['a public path in the query', '/admin/x?x=/public/'],
    ['a query that looks like another path', '/admin/x?/../public/y'],
    ['an encoded letter', '/%61dmin/x'],
  ])('%s does not open a protected path', async (_name, target) => {
    await expectStopped(stage.gateway.fetch(target), 'missing_token', stage.upstream);
  });

  it.each([
    ['a path below no rule', '/elsewhere'],
    ['a rule in another case', '/PUBLIC/x'],
    ['a trailing slash', '/reports/'],
    ['the path before the slash of a rest', '/public'],
  ])('%s matches no rule', async (_name, target) => {
    await expectStopped(stage.gateway.fetch(target), 'no_rule', stage.upstream);
  });

  it('a rest covers the slash it begins with: /admin/ is protected as /admin/x is', async () => {
    await expectStopped(stage.gateway.fetch('/admin/'), 'missing_token', stage.upstream);
    expect((await stage.gateway.fetch('/public/')).status).toBe(200);
  });

  it.each([
    ['a%C2%85b', 'control character'],
    ['a%C2%9Fb', 'control character'],
    ['a%20b', 'white space'],
    ['a%C2%A0b', 'white space'],
    ['a%E2%80%A8b', 'white space'],
    ['a:b', 'colon'],
    ['*', 'every object'],
    ['x'.repeat(300), '256 bytes'],
  ])('what OpenFGA cannot name is the fault of its caller, and says why: %s', async (id, why) => {
    const headers = { authorization: await stage.bearer() };
    const sent = stage.gateway.fetch(`/documents/${id}`, { headers });
    const problem = await expectStopped(sent, 'invalid_path', stage.upstream);
    expect(problem).toMatchObject({ detail: expect.stringContaining(why) as string });
  });

  it('the rule is chosen by the method too', async () => {
    const sent = { method: 'PUT', headers: { authorization: await stage.bearer() } };
    await expectStopped(stage.gateway.fetch('/documents/1', sent), 'no_rule', stage.upstream);
  });

  it.each([
    ['plain', '/public/a/b?x=1&y=%2F..', '/public/a/b?x=1&y=%2F..'],
    ['encoded in one canonical form', '/public/%61%c3%a9%20', '/public/a%C3%A9%20'],
    ['without strip_prefix', '/api/v1/x?q=/../', '/v1/x?q=/../'],
  ])('what is forwarded is what was judged: %s', async (_name, target, forwarded) => {
    const answer = await stage.gateway.fetch(target);
    expect(answer.status).toBe(200);
    expect(stage.upstream.requests.map((request) => request.target)).toEqual([forwarded]);
  });
});
