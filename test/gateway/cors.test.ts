import { expect, it } from 'vitest';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite } from '../support/suite.ts';

const ORIGIN = 'https://app.example.org';
const preflight = (origin: string) => ({
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': 'DELETE',
    'access-control-request-headers': 'authorization,x-own',
  },
});

gatewaySuite(
  'a listed origin may read answers',
  { variables: () => ({ ALLOWED_ORIGINS: `${ORIGIN}, https://other.example.org` }) },
  (stage) => {
    it('its preflight needs no token and asks nobody', async () => {
      const answer = await stage.gateway.fetch('/admin/x', preflight(ORIGIN));
      expect(answer.status).toBe(204);
      expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
      expect(answer.headers.get('access-control-allow-methods')).toBe('DELETE');
      expect(answer.headers.get('access-control-allow-headers')).toBe('authorization,x-own');
      expect(answer.headers.get('vary')).toContain('Origin');
      expect(stage.upstream.requests).toEqual([]);
    });

    it('it can read its 401 instead of being sent somewhere', async () => {
      const answer = await stage.gateway.fetch('/me', { headers: { origin: ORIGIN } });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate');
      expect(answer.headers.get('location')).toBeNull();
    });

    it.each([
      'https://evil.test',
      'null',
      'https://app.example.org.evil.test',
      'http://app.example.org',
      'https://APP.example.org',
    ])('the origin %s gets no grant', async (origin) => {
      const answer = await stage.gateway.fetch('/public/x', { headers: { origin } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
      expect(answer.headers.get('vary')).toContain('Origin');
    });

    it('a preflight from elsewhere is a request like any other', async () => {
      const sent = stage.gateway.fetch('/admin/x', preflight('https://evil.test'));
      await expectStopped(sent, 'missing_token', stage.upstream);
    });

    it('what the upstream says about origins does not count', async () => {
      stage.upstream.on('/public/open', (incoming, outgoing) => {
        incoming.resume();
        outgoing.writeHead(200, {
          'Access-Control-Allow-Origin': '*',
          'Access-Control-Allow-Private-Network': 'true',
          Vary: 'Accept',
        });
        outgoing.end();
      });
      const listed = await stage.gateway.fetch('/public/open', { headers: { origin: ORIGIN } });
      expect(listed.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(listed.headers.get('vary')).toBe('Accept, Origin');
      const other = await stage.gateway.fetch('/public/open', { headers: { origin: 'https://evil.test' } });
      expect([...other.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    });
  },
);

gatewaySuite('without ALLOWED_ORIGINS', {}, (stage) => {
  it('the gateway says nothing about origins', async () => {
    const answer = await stage.gateway.fetch('/public/x', { headers: { origin: ORIGIN } });
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    expect(answer.headers.get('vary')).toBeNull();
  });

  it('a preflight passes no protected path', async () => {
    await expectStopped(stage.gateway.fetch('/admin/x', preflight(ORIGIN)), 'missing_token', stage.upstream);
  });
});
