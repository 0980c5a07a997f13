import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { startNeonEndpoint, type NeonEndpoint } from '../services/neon.ts';
import { DATABASE, emptyDatabase, type MigratedDatabase } from '../support/databases.ts';
import { expectRefusal } from '../support/refusal.ts';
import { FUNCTION_RUNTIMES } from '../support/gateway/runtimes.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { METRICS_TOKEN } from '../support/world.ts';
import { hmac, signature } from './sign.ts';
import { envelope, type EnvelopeOptions } from './events.ts';

/** Long because gateways of each runtime are started once for all their routes. */

const KEYS = ['the-newest-signing-key', 'the-signing-key-before'] as const;
const SECRET = 'shared-secret-of-scripts';
const GRANTS = [{ relation: 'viewer', object: 'feature:report_viewer' }];
const Answer = z.object({ status: z.string(), id: z.string().optional() });
const Row = z.object({ id: z.string(), status: z.string(), payload: z.unknown() });

let db: MigratedDatabase;
let neon: NeonEndpoint;
let bare: Awaited<ReturnType<typeof emptyDatabase>>;
beforeAll(async () => {
  db = await DATABASE.start();
  neon = await startNeonEndpoint();
  bare = await emptyDatabase();
});
afterAll(async () => {
  await neon.close();
  await db.close();
  await bare.close();
});

const rows = () => db.database.query(sql`select id, status, payload from sallyport_webhook_events`, Row);

async function deliver(stage: Stage, body: unknown, headers?: Record<string, string>): Promise<Response> {
  const text = JSON.stringify(body);
  return stage.gateway.fetch('/webhooks/zitadel', {
    method: 'POST',
    headers: headers ?? { 'zitadel-signature': signature(KEYS[0], text) },
    body: text,
  });
}

const answerOf = async (response: Promise<Response>) => {
  const { status, text } = { status: (await response).status, text: await (await response).text() };
  return { http: status, ...Answer.parse(JSON.parse(text)) };
};

/** Delivers events one after the other, and waits until all of them are applied. */
async function happen(stage: Stage, ...events: EnvelopeOptions[]): Promise<void> {
  for (const event of events) expect((await deliver(stage, envelope(event))).status).toBe(202);
  await vi.waitUntil(async () => (await rows()).every(({ status }) => status === 'applied'), {
    timeout: 600_000,
    interval: 20,
  });
}

async function statusFor(stage: Stage, sub: string, target: string): Promise<number> {
  return (await stage.gateway.fetch(target, { headers: { authorization: await stage.bearer({ sub }) } }))
    .status;
}

gatewaySuite(
  'webhooks',
  {
    variables: () => ({
      DATABASE_URL: db.url,
      DATABASE_HTTP_ENDPOINT: neon.endpoint,
      WEBHOOK_SIGNING_KEYS: KEYS.join(','),
      WEBHOOK_SHARED_SECRET: SECRET,
      DEFAULT_GRANTS: JSON.stringify(GRANTS),
      DECISION_TTL: '0',
    }),
    before: (world) => void world.secrets.push(...KEYS, SECRET),
  },
  (stage) => {
    beforeEach(async () => {
      await db.database.execute(sql`delete from sallyport_webhook_events`);
      await db.database.execute(sql`delete from sallyport_identities`);
    });

    it.each([
      ['missing', () => ({})],
      ['by another key', (text: string) => ({ 'zitadel-signature': signature('guessed', text) })],
      ['of another body', () => ({ 'zitadel-signature': signature(KEYS[0], '{}') })],
      ['stale', (text: string) => ({ 'zitadel-signature': signature(KEYS[0], text, now() - 302) })],
      ['of the future', (text: string) => ({ 'zitadel-signature': signature(KEYS[0], text, now() + 310) })],
      ['a shared secret instead', () => ({ 'x-webhook-secret': SECRET })],
    ])('a signature that is %s stores nothing', async (_, headersFor) => {
      const body = envelope();
      await expectRefusal(await deliver(stage, body, headersFor(JSON.stringify(body))), 'invalid_signature');
      expect(await rows()).toEqual([]);
    });

    it('a new event is answered with 202 and the id it is stored under, a replay with 200 and the same', async () => {
      const first = await answerOf(deliver(stage, envelope()));
      expect(first).toMatchObject({ http: 202, status: 'accepted' });
      expect((await rows()).map(({ id }) => id)).toEqual([first.id]);
      expect(await answerOf(deliver(stage, envelope()))).toEqual({
        http: 200,
        status: 'duplicate',
        id: first.id,
      });
      expect(await rows()).toHaveLength(1);
    });

    it('while keys rotate, the key before and a second value count too', async () => {
      const text = JSON.stringify(envelope());
      const value = `t=${now()},v1=${'0'.repeat(64)},v1=${hmac(KEYS[1], text, now())}`;
      expect((await deliver(stage, envelope(), { 'zitadel-signature': value })).status).toBe(202);
    });

    it("a delivery signed by the instance's web key is read, one by another key is not", async () => {
      const send = (token: string) =>
        stage.gateway.fetch('/webhooks/zitadel', {
          method: 'POST',
          headers: { 'zitadel-signature': signature(KEYS[0], token) },
          body: token,
        });
      const token = await stage.issuer.sign({ ...envelope({ user: 'jwt-user' }) });
      const forged = `${token.slice(0, token.lastIndexOf('.'))}.${'A'.repeat(86)}`;
      await expectRefusal(await send(forged), 'invalid_signature');
      expect(await rows()).toEqual([]);
      expect((await send(token)).status).toBe(202);
    });

    it.each(['not json', '{}', '"text"', '{"aggregateID":', '\0'])(
      'a signed body that is no event (%j) is a 400 and stores nothing',
      async (body) => {
        const headers = { 'zitadel-signature': signature(KEYS[0], body) };
        const answer = await stage.gateway.fetch('/webhooks/zitadel', { method: 'POST', headers, body });
        await expectRefusal(answer, 'invalid_request');
        expect(await rows()).toEqual([]);
      },
    );

    it('a body over 64 KiB is a 413 and stores nothing', async () => {
      const answer = await deliver(stage, envelope({ payload: { userName: 'x'.repeat(65_536) } }));
      await expectRefusal(answer, 'body_too_large');
      expect(await rows()).toEqual([]);
    });

    it('an event of a type that nothing handles is ignored, counted and not stored', async () => {
      const ignored = async () => {
        const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
        const text = await (await stage.gateway.fetch('/metrics', { headers })).text();
        return Number(/^sallyport_webhooks_total\{status="ignored"\} (\d+)/m.exec(text)?.[1] ?? 0);
      };
      const before = await ignored();
      const answer = await answerOf(deliver(stage, envelope({ type: 'user.human.phone.changed' })));
      expect(answer).toEqual({ http: 200, status: 'ignored' });
      expect(await rows()).toEqual([]);
      expect(await ignored()).toBe(before + 1);
    });

    it('no password hash is stored', async () => {
      await deliver(stage, envelope({ payload: { userName: 'ann', encodedHash: '$2a$14$secret' } }));
      expect(await rows()).toMatchObject([{ payload: { userName: 'ann' } }]);
      expect(JSON.stringify(await rows())).not.toContain('$2a$');
    });

    it('scripts send their secret, or sign; both or neither decide', async () => {
      const send = (path: string, body: object, headers: Record<string, string>) =>
        stage.gateway.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
      const created = { userId: 'script-user', userName: 'ann', userType: 'human' };
      await expectRefusal(await send('/webhooks/user-created', created, {}), 'invalid_signature');
      await expectRefusal(
        await send('/webhooks/user-deleted', { userId: 'script-user' }, { 'x-webhook-secret': 'guess' }),
        'invalid_signature',
      );
      expect(await rows()).toEqual([]);
      const secret = { 'x-webhook-secret': SECRET };
      expect((await send('/webhooks/user-created', created, secret)).status).toBe(202);
      expect((await send('/webhooks/user-created', created, secret)).status).toBe(200);
      const signed = { 'zitadel-signature': signature(KEYS[0], JSON.stringify({ userId: 'script-user' })) };
      expect((await send('/webhooks/user-deleted', { userId: 'script-user' }, signed)).status).toBe(202);
    });

    it('a user who was created may use what new users may, at once', async () => {
      const user = `new-${stage.runtime.replace(' ', '-')}`;
      expect(await statusFor(stage, user, '/reports')).toBe(403);
      await happen(stage, { user, sequence: 1, payload: { userName: 'ann' } });
      expect(await statusFor(stage, user, '/reports')).toBe(200);
    });

    it('a user who was deactivated is refused, and let in again when reactivated, with a token issued since', async () => {
      const sub = `suspended-${stage.runtime.replace(' ', '-')}`;
      const now = Math.floor(Date.now() / 1_000);
      // RFC 7519 §2: iat has whole seconds, so a token of the very second counts as one of before.
      const [before, since] = await Promise.all(
        [now - 60, now + 2].map((iat) => stage.bearer({ sub, iat, exp: now + 600 })),
      );
      const statusOf = async (authorization = ''): Promise<number> =>
        (await stage.gateway.fetch('/me', { headers: { authorization } })).status;
      expect(await statusOf(before)).toBe(200);
      await happen(stage, { user: sub, sequence: 5, type: 'user.deactivated' });
      expect([await statusOf(before), await statusOf(since)]).toEqual([401, 401]);
      await happen(stage, { user: sub, sequence: 6, type: 'user.reactivated' });
      expect([await statusOf(before), await statusOf(since)]).toEqual([401, 200]);
    });

    it('a user who was removed is refused, and a late creation brings nothing back', async () => {
      const user = `removed-${stage.runtime.replace(' ', '-')}`;
      await happen(stage, { user, sequence: 9, type: 'user.removed' }, { user, sequence: 1 });
      expect(await statusFor(stage, user, '/me')).toBe(401);
    });

    it('/ready shows the inbox, and does not depend on it', async () => {
      const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
      const report: unknown = await (await stage.gateway.fetch('/ready', { headers })).json();
      expect(report).toMatchObject({
        dependencies: { webhook_inbox: { needed: false, up: true, pending: expect.any(Number) as unknown } },
      });
    });
  },
);

gatewaySuite('webhooks without secrets, without a database', { on: FUNCTION_RUNTIMES }, (stage) => {
  it('nothing is accepted while no secret is configured', async () => {
    const text = JSON.stringify(envelope());
    const headers = { 'zitadel-signature': signature('', text), 'x-webhook-secret': '' };
    for (const path of ['/webhooks/zitadel', '/webhooks/user-deleted']) {
      const answer = await stage.gateway.fetch(path, { method: 'POST', headers, body: text });
      await expectRefusal(answer, 'invalid_signature');
    }
  });
});

gatewaySuite(
  'webhooks without a database',
  { on: FUNCTION_RUNTIMES, variables: () => ({ WEBHOOK_SIGNING_KEYS: KEYS[0] }) },
  (stage) => {
    it('says that it is not configured, and loses nothing silently', async () => {
      await expectRefusal(await deliver(stage, envelope()), 'not_configured');
    });

    it('still says what is malformed or of no interest, since that does not depend on a database', async () => {
      await expectRefusal(await deliver(stage, { ...envelope(), sequence: true }), 'invalid_request');
      expect((await deliver(stage, envelope({ type: 'user.pat.added' }))).status).toBe(200);
    });
  },
);

gatewaySuite(
  'webhooks while the database is away',
  {
    on: FUNCTION_RUNTIMES,
    variables: () => ({
      WEBHOOK_SIGNING_KEYS: KEYS[0],
      DATABASE_URL: 'postgres://postgres:x@127.0.0.1:1/postgres?sslmode=disable',
      DATABASE_HTTP_ENDPOINT: 'http://127.0.0.1:1/sql',
    }),
  },
  (stage) => {
    it('are answered with 503, so that the sender knows', async () => {
      await expectRefusal(await deliver(stage, envelope()), 'database_unavailable');
    });
  },
);

gatewaySuite(
  'webhooks on a database without migrations',
  {
    on: FUNCTION_RUNTIMES,
    variables: () => ({
      DATABASE_URL: bare.url,
      DATABASE_HTTP_ENDPOINT: neon.endpoint,
      WEBHOOK_SIGNING_KEYS: KEYS[0],
    }),
  },
  (stage) => {
    it('are not told that it is away: the operator has to migrate, and the log says so', async () => {
      await expectRefusal(await deliver(stage, envelope()), 'database_misconfigured');
      await vi.waitUntil(() => stage.gateway.output().includes('sallyport db migrate'), { timeout: 600_000 });
    });
  },
);

function now(): number {
  return Math.floor(Date.now() / 1000);
}
