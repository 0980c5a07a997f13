import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { framed } from '../../shared/edge/frame.ts';
import { html, pageAnswer } from '../../shared/edge/page.ts';
import { Refusal } from '../../shared/errors.ts';
import { ground, own, request, send } from './framing.ts';

it('a page’s own style is the one that its policy lets browsers apply, to the byte (CSP Level 3 §6.7.3.3)', async () => {
  const answer = pageAnswer('Title', html`<p>${'<text>'}</p>`);
  const [, style = ''] = /<style>([^]*)<\/style>/.exec(await answer.text()) ?? [];
  expect(style).toContain('body{');
  const hash = createHash('sha256').update(style).digest('base64');
  expect(answer.headers.get('content-security-policy')).toContain(`style-src 'sha256-${hash}'`);
});

it.each([
  ['a text', () => '<p>no</p>'],
  ['an answer', ({ status }: { status: number }) => new Response('<p>no</p>', { status })],
])(
  'a refusal says in a page that is %s when to try again, and how to sign in, as in a problem',
  async (_what, page) => {
    const html = new Request('http://gateway.test/own', { headers: { accept: 'text/html' } });
    for (const refusal of [
      new Refusal('rate_limited', 'often', { headers: { 'Retry-After': '7', RateLimit: '"x";r=0;t=7' } }),
      new Refusal('invalid_token', 'wrong'),
    ]) {
      const failing = own(() => Promise.reject(refusal), { page });
      const [problem, shown] = [
        await send(failing, ground()),
        await framed(failing, html, request(), ground()),
      ];
      expect(await shown.text()).toContain('<p>no</p>');
      for (const name of ['retry-after', 'ratelimit', 'www-authenticate'])
        expect([name, shown.headers.get(name)]).toEqual([name, problem.headers.get(name)]);
      expect([problem.headers.has('retry-after'), problem.headers.has('www-authenticate')]).toContain(true);
    }
    const leading = own(() => Promise.reject(new Refusal('missing_token', 'none')), {
      page: () => new Response(null, { status: 303, headers: { location: '/sign-in' } }),
    });
    expect((await framed(leading, html, request(), ground())).headers.get('www-authenticate')).toBeNull();
  },
);
