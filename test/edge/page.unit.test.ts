import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { html, pageAnswer } from '../../shared/edge/page.ts';

it('a page’s own style is the one that its policy lets browsers apply, to the byte (CSP Level 3 §6.7.3.3)', async () => {
  const answer = pageAnswer('Title', html`<p>${'<text>'}</p>`);
  const [, style = ''] = /<style>([^]*)<\/style>/.exec(await answer.text()) ?? [];
  expect(style).toContain('body{');
  const hash = createHash('sha256').update(style).digest('base64');
  expect(answer.headers.get('content-security-policy')).toContain(`style-src 'sha256-${hash}'`);
});
