import { expect, it } from 'vitest';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { gatewaySuite } from '../support/suite.ts';
import { countOf, seen } from './lines.ts';

gatewaySuite('the line of a refusal', { variables: () => ({ LOG_REQUESTS: 'refused' }) }, (stage) => {
  it.each([
    ['no_rule', '/nowhere/of?access_token=s3cret-in-the-query', '/nowhere/of'],
    ['invalid_path', '/public/%2e%2e%2fadmin?x=s3cret-in-the-query', '/public/%2e%2e%2fadmin'],
    ['missing_token', '/me', '/me'],
    ['no_rule', `/nowhere/${'%C3%A9'.repeat(200)}`, `/nowhere/${'%C3%A9'.repeat(83)}`],
  ])('%s names the path without its query: %s', async (code, target, path) => {
    const { line } = await seen(stage, target);
    expect(line).toMatchObject({ code, path });
    expect(stage.gateway.output()).not.toContain('s3cret');
  });

  it('holds no token of the path', async () => {
    const token = (await stage.bearer({ sub: 'path' })).slice('Bearer '.length);
    const { line } = await seen(stage, `/nowhere/${token}`);
    expect(line).toMatchObject({ path: '/nowhere/[hidden]' });
  });

  it('says how long the step took that failed', async () => {
    const times: [string, string, Record<string, string>][] = [
      ['match_us', '/nowhere', {}],
      ['authenticate_us', '/me', { authorization: await stage.bearer({ aud: 'other' }) }],
      ['authorize_us', '/reports', { authorization: await stage.bearer({ sub: 'nobody' }) }],
      ['upstream_us', '/closed/x', {}],
    ];
    for (const [step, target, headers] of times) {
      const { answer, line } = await seen(stage, target, 'GET', headers);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(line?.[step], step).toBeTypeOf('number');
      if (stage.runtime !== 'workerd') expect(line?.[step], step).toBeGreaterThan(0);
    }
  });

  it('is all there is: what passed has none, and is counted', async () => {
    const id = `passed-${stage.runtime.replace(' ', '-')}`;
    const headers = { 'x-request-id': id };
    expect((await stage.gateway.fetch('/public/x', { headers })).status).toBe(200);
    expect((await stage.gateway.fetch('/health', { headers })).status).toBe(200);
    await seen(stage, '/nowhere');
    expect(stage.gateway.output()).not.toContain(id);
    expect(await countOf(stage, /rule="\/public\/\*rest".*code="ok"/)).toBeGreaterThan(0);
  });
});

gatewaySuite('LOG_PATHS=off', { on: SOCKETS, variables: () => ({ LOG_PATHS: 'off' }) }, (stage) => {
  it('keeps paths out of the log', async () => {
    const { line } = await seen(stage, '/nowhere/private-name');
    expect(line).toMatchObject({ code: 'no_rule' });
    expect(stage.gateway.output()).not.toContain('private-name');
  });
});

gatewaySuite('without LOG_REQUESTS', { on: SOCKETS }, (stage) => {
  it('Node logs every request, Workers those that were refused', async () => {
    const headers = { 'x-request-id': 'passed-by-default' };
    expect((await stage.gateway.fetch('/public/x', { headers })).status).toBe(200);
    await seen(stage, '/nowhere');
    expect(stage.gateway.output().includes('passed-by-default')).toBe(stage.runtime === 'node');
  });
});
