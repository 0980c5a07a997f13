import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startNeonEndpoint, type NeonEndpoint } from '../../dev/neon.ts';
import { signatureOf } from '../../functions/alarms/events.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { ENTRY, startInWorkerd, type InWorkerd } from '../support/in-workerd.ts';

const postgres = DATABASES[1];
const KEY = 'a-key-of-the-webhook-of-alarms';

describe.skipIf(postgres.missing)('alarms in workerd (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  let neon: NeonEndpoint;
  let hook: Server;
  let worker: InWorkerd;
  const posted: { readonly signature: string; readonly body: string }[] = [];
  beforeAll(async () => {
    db = await postgres.start();
    neon = await startNeonEndpoint();
    hook = createServer((incoming, outgoing) => {
      void text(incoming).then((body) => {
        posted.push({ signature: String(incoming.headers['sallyport-signature']), body });
        outgoing.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    const variables = {
      UPSTREAM_URL: 'http://127.0.0.1:1',
      OPENFGA_URL: 'http://127.0.0.1:1',
      OPENFGA_STORE_ID: '01J00000000000000000000000',
      DATABASE_URL: `${db.url}?sslmode=disable`,
      DATABASE_HTTP_ENDPOINT: neon.endpoint,
      FUNCTIONS: 'analytics',
      MAIL_URL: 'smtp://127.0.0.1:1?tls=off',
      MAIL_FROM: 'Example <no-reply@example.org>',
      ALERT_EMAIL: 'oncall@example.org',
      ALERT_WEBHOOK_URL: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`,
      ALERT_WEBHOOK_KEY: KEY,
    };
    worker = await startInWorkerd(ENTRY, { variables });
  });
  afterAll(async () => {
    await worker.close();
    await neon.close();
    hook.close();
    hook.closeAllConnections();
    await db.close();
  });

  const mails = async (kind: string) =>
    (
      await db.database.query(
        sql`select recipient from sallyport_outbox where kind = ${kind}`,
        z.object({ recipient: z.string() }),
      )
    ).map(({ recipient }) => recipient);

  it('tells an alarm once, by mail and by a signed webhook', async () => {
    await db.database.execute(sql`insert into sallyport_mail_templates (digest, content) values ('x', '{}')`);
    await db.database
      .execute(sql`insert into sallyport_outbox (id, message_id, kind, template, recipient, content, urgent, created_at, due_at)
      values (gen_random_uuid(), '<a@example.org>', 'invitation', 'x', 'alice@example.org', '{}', false, now() - interval '2 hours', now() + interval '1 day')`);
    for (const minute of [0, 5])
      expect(await worker.trigger('*/5 * * * *', Date.UTC(2030, 0, 1, 10, minute))).toBe('ok');
    expect(await mails('alarm')).toEqual(['oncall@example.org']);
    expect(posted.length).toBe(1);
    const [{ signature, body } = { signature: '', body: '' }] = posted;
    expect(JSON.parse(body)).toMatchObject({ alarm: 'mail-queue', state: 'raised' });
    expect(signature).toBe(signatureOf(body, KEY, Number(/t=(\d+)/.exec(signature)?.[1])));
  });

  it('mails the week on Mondays', async () => {
    await refreshFigures(db.database);
    expect(await worker.trigger('0 6 * * MON', Date.UTC(2030, 0, 7, 6, 0))).toBe('ok');
    expect(await mails('weekly-report')).toEqual(['oncall@example.org']);
  });
});
