import { expect, it } from 'vitest';
import { createAuthenticator } from '../../../functions/gateway/authenticate/authenticate.ts';
import {
  SESSION,
  sessionIssuer,
  sessionKeySource,
} from '../../../functions/gateway/authenticate/sessions.ts';
import { trust } from '../../../functions/gateway/authenticate/trust.ts';
import { shareInFlight } from '../../../shared/caches/in-flight.ts';
import { makePrivateKeys } from '../../../shared/keys/signing-keys.ts';
import { openKeyRing } from '../../../shared/sessions/keys.ts';
import { mintAccess } from '../../../shared/sessions/token.ts';
import { manualClock } from '../../support/clock.ts';
import { providerDeps } from '../../support/provider-deps.ts';
import { refusal, requestWith } from './gate.ts';

const CONFIG = { publicUrl: 'https://app.example.org', audience: 'app', accessSeconds: 900 };
const TOKENS = 200;
const id = (n: number): string => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`;

async function sessions() {
  const clock = manualClock();
  const ring = openKeyRing({ keys: await makePrivateKeys() });
  const fetched: string[] = [];
  const deps = providerDeps(
    (url) => {
      fetched.push(url);
      return Promise.reject(new Error('nothing is fetched'));
    },
    shareInFlight,
    clock,
  );
  const issuer = sessionIssuer(CONFIG, { shared: [SESSION], others: [] });
  const trusted = trust(
    { issuers: [issuer], introspection: [] },
    { ...deps, keySources: { [SESSION]: sessionKeySource(ring) } },
  );
  const { authenticate } = createAuthenticator({ ...trusted, clock });
  const nothing = new Set<string>();
  return {
    clock,
    fetched,
    mint: async (n: number) => {
      const claims = { subject: id(n), tenantId: id(0), slug: 'acme', role: 'user', sessionId: id(n) };
      const nowSeconds = Math.floor(clock.now() / 1_000);
      return mintAccess({ ...claims, method: 'jwt' }, await ring.current(), CONFIG, nowSeconds);
    },
    present: async (token: string) =>
      authenticate(
        { access: { kind: 'authenticated' }, token: undefined },
        requestWith({ authorization: `Bearer ${token}` }),
        nothing,
      ),
  };
}

it('JWT validation < 50 ms of processor time, and keys are not fetched, not with the first request either', async () => {
  const { mint, present, fetched } = await sessions();
  const tokens = await Promise.all(Array.from({ length: TOKENS }, (_, n) => mint(n + 1)));
  const before = process.cpuUsage();
  for (const token of tokens) await present(token);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000 / TOKENS).toBeLessThan(50);
  expect(fetched).toEqual([]);
});

it('a session token names user, tenant, role and session', async () => {
  const { mint, present } = await sessions();
  expect(await present(await mint(7))).toMatchObject({
    issuerName: 'session',
    issuer: CONFIG.publicUrl,
    subject: id(7),
    user: `user:${id(7)}`,
    caller: `session|${id(7)}`,
    session: `session|${id(7)}|sid:${id(7)}`,
    tenancies: { all: [{ tenant: id(0), slug: 'acme', role: 'user' }], fault: undefined },
  });
});

it('ends to the second: it was made by the clock that it is read by', async () => {
  const { mint, present, clock } = await sessions();
  const token = await mint(1);
  clock.advance(CONFIG.accessSeconds - 1);
  await present(token);
  clock.advance(1);
  expect(await refusal(() => present(token))).toMatchObject({ code: 'invalid_token', reason: 'expired' });
});
