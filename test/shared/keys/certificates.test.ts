import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Agent, fetch as undiciFetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { createDiscovery } from '../../../shared/keys/discovery.ts';
import type { Fetch } from '../../../shared/ports/runtime.ts';
import { makeCertificates, type Certificate } from '../../support/certificates.ts';
import { providerDeps } from '../../support/provider-deps.ts';
import { gatewaySuite } from '../../support/suite.ts';
import { METRICS_TOKEN } from '../../support/world.ts';

const certificates = makeCertificates();

async function serveTls(certificate: Certificate, answer: (url: string) => object = () => ({})) {
  const server = createServer(certificate, (_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer(url)));
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  return {
    url,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Node's own fetch, which trusts the authority of the test beside none. */
function trusting(ca: string): { readonly fetch: Fetch; readonly close: () => Promise<void> } {
  const dispatcher = new Agent({ connect: { ca } });
  const fetch = ((url: string, init: object) =>
    undiciFetch(url, { ...init, dispatcher })) as unknown as Fetch;
  return { fetch, close: () => dispatcher.close() };
}

describe('a provider whose certificate is not trusted is no provider that is away: the fault is named', () => {
  it.each<[string, Certificate, RegExp]>([
    ['expired', certificates.expired, /its certificate has expired$/],
    ['self-signed', certificates.selfSigned, /its certificate is self-signed/],
    ['for another host', certificates.otherHost, /its certificate is for another host$/],
  ])('%s', async (_what, certificate, reason) => {
    const server = await serveTls(certificate);
    const { fetch, close } = trusting(certificates.authority);
    await expect(
      createDiscovery(server.url, { ...providerDeps(fetch), timeoutMs: 60_000 }).metadata(),
    ).rejects.toThrow(reason);
    await close();
    server.close();
  });

  it('of an unknown authority', async () => {
    const server = await serveTls(certificates.good);
    const reading = createDiscovery(server.url, {
      ...providerDeps((url, init) => fetch(url, init)),
      timeoutMs: 60_000,
    });
    await expect(reading.metadata()).rejects.toThrow(
      /its certificate is of an authority that is not trusted here/,
    );
    server.close();
  });

  it('and a good one is none', async () => {
    const server = await serveTls(certificates.good, (url) => ({ issuer: url, jwks_uri: `${url}/keys` }));
    const { fetch, close } = trusting(certificates.authority);
    const reading = createDiscovery(server.url, { ...providerDeps(fetch), timeoutMs: 60_000 });
    expect(await reading.metadata()).toMatchObject({ jwksUri: `${server.url}/keys` });
    await close();
    server.close();
  });
});

const untrusted = await serveTls(certificates.selfSigned);

gatewaySuite(
  'an untrusted certificate of the provider',
  { variables: () => ({ ZITADEL_ISSUER_URL: untrusted.url }) },
  (stage) => {
    it('is 503 for tokens, and says certificate in the log and in /ready', async () => {
      const headers = { authorization: await stage.bearer({ iss: untrusted.url }) };
      expect((await stage.gateway.fetch('/me', { headers })).status).toBe(503);
      const report = await stage.gateway.fetch('/ready', {
        headers: { authorization: `Bearer ${METRICS_TOKEN}` },
      });
      expect(await report.text()).toContain('its certificate');
    });
  },
);
