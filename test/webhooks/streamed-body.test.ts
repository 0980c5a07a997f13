import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { MAX_OWN_BODY_BYTES } from '../../shared/edge/body.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { node } from '../support/gateway/node.ts';
import { gatewaySuite } from '../support/suite.ts';
import { signature } from './sign.ts';
import { envelope } from './events.ts';

const KEY = 'signing-key-of-this-test';
const CHUNK = 16_384;

let db: MigratedDatabase;
beforeAll(async () => {
  db = await DATABASE.start();
});
afterAll(() => db.close());

const rows = () =>
  db.database.query(sql`select id from sallyport_webhook_events`, z.object({ id: z.string() }));

/** Sends a body in chunks, its length undeclared, until an answer comes. */
async function stream(url: string, body: string) {
  const headers = { 'zitadel-signature': signature(KEY, body), 'transfer-encoding': 'chunked' };
  const outgoing = request(`${url}/webhooks/zitadel`, { method: 'POST', headers });
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  // The gateway closes the connection on a sender that goes on.
  outgoing.on('error', () => undefined);
  for (let from = 0; from < body.length; from += CHUNK) outgoing.write(body.slice(from, from + CHUNK));
  outgoing.end();
  const [answer] = await answered;
  return { status: answer.statusCode, body: await json(answer) };
}

gatewaySuite(
  'webhooks of undeclared length',
  { on: [node], variables: () => ({ DATABASE_URL: db.url, WEBHOOK_SIGNING_KEYS: KEY }) },
  (stage) => {
    it('over 64 KiB are a 413 and store nothing', async () => {
      const body = JSON.stringify(envelope({ payload: { userName: 'x'.repeat(MAX_OWN_BODY_BYTES) } }));
      expect(await stream(stage.gateway.url, body)).toMatchObject({
        status: 413,
        body: { code: 'body_too_large' },
      });
      expect(await rows()).toEqual([]);
    });

    it('of up to 64 KiB are taken', async () => {
      const body = JSON.stringify(
        envelope({ payload: { userName: 'x'.repeat(MAX_OWN_BODY_BYTES - 1_000) } }),
      );
      expect(await stream(stage.gateway.url, body)).toMatchObject({ status: 202 });
      expect(await rows()).toHaveLength(1);
    });
  },
);
