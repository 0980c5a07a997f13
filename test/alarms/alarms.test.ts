// Long because each promise is kept by the same instances, one database and one webhook.
import { createHmac, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { alarmsJobs, createAlarms, type AlarmsPorts } from '../../functions/alarms/function.ts';
import { createPlatform } from '../../shared/adapters/node/platform.ts';
import { standingAlarms } from '../../shared/figures/alarms.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { systemClock, webRandom } from '../../shared/runtime.ts';
import { makeTenant } from '../auth/people.ts';
import { instance, invitation, put } from '../mail/stage.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';

const [, POSTGRES] = DATABASES;
const KEY = 'a-key-of-the-webhook-of-alarms';
const TO = 'oncall@example.org';

interface Posted {
  readonly signature: string;
  readonly body: string;
}

const Event = z.object({
  id: z.string(),
  alarm: z.string(),
  state: z.string(),
  detail: z.string(),
  since: z.iso.datetime(),
});

describe.skipIf(POSTGRES.missing)('alarms (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  let server: Server;
  let url: string;
  let posted: Posted[] = [];
  let statuses: number[] = [];
  const lines: string[] = [];

  beforeAll(async () => {
    db = await POSTGRES.start();
    server = createServer((incoming, outgoing) => {
      void buffer(incoming).then((body) => {
        if (incoming.url !== '/hook') {
          outgoing.writeHead(incoming.url?.includes('gone') === true ? 503 : 200).end('{}');
          return;
        }
        posted.push({ signature: String(incoming.headers['sallyport-signature']), body: body.toString() });
        outgoing.writeHead(statuses.shift() ?? 204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.close();
    server.closeAllConnections();
    await db.close();
  });
  beforeEach(async () => {
    posted = [];
    statuses = [];
    lines.length = 0;
    await db.database.execute(sql`truncate sallyport_outbox, sallyport_alarms, sallyport_alarm_events`);
  });

  const line = (message: string): void => void lines.push(message);
  const log = {
    ...{ debug: () => undefined, info: line, warn: line, error: line },
    ...{ lines: undefined, flush: () => undefined },
  };

  /** One instance, with a pool of its own. */
  function portsOn(database: Database, providers: AlarmsPorts['config']['alarms']['providers'] = []) {
    const platform = createPlatform();
    return {
      database,
      platform,
      clock: systemClock,
      random: webRandom(),
      log,
      outbox: { ...instance(database, 1).outbox, nudge: () => undefined },
      config: {
        alarms: {
          figuresKept: true,
          dashboard: 'https://app.example.org/analytics',
          providers,
          watched: { zitadel: null, addresses: [], backupDir: null },
        },
        alerts: { email: TO, webhook: { url: `${url}/hook`, key: KEY } },
      },
    };
  }
  const run = (providers?: AlarmsPorts['config']['alarms']['providers'], database = db.database) =>
    alarmsJobs(portsOn(database, providers)).alarms.run({
      signal: new AbortController().signal,
      dryRun: false,
    });

  /** A mail that has waited for so long. */
  const waiting = async (interval: string): Promise<void> => {
    await put(db.database, portsOn(db.database).outbox, { ...invitation(1), key: `w-${randomUUID()}` });
    await db.database.execute(
      sql`update sallyport_outbox set created_at = now() - ${interval}::interval where kind = 'invitation' and status = 'pending'`,
    );
  };
  const sent = () =>
    db.database.execute(
      sql`update sallyport_outbox set status = 'sent', finished_at = now() where status = 'pending' and kind = 'invitation'`,
    );
  const mails = async (): Promise<string[]> =>
    (
      await db.database.query(
        sql`select kind || ' to ' || recipient as line from sallyport_outbox where kind like 'alarm%' order by created_at, kind`,
        z.object({ line: z.string() }),
      )
    ).map(({ line }) => line);
  const events = () => posted.map(({ body }) => Event.parse(JSON.parse(body)));

  it('tells a queue that stands still once, and once that it moves again: mail, webhook and log', async () => {
    await waiting('59 minutes');
    expect(await run()).toMatchObject({ raised: [], standing: [] });
    await waiting('61 minutes');
    expect(await run()).toMatchObject({ raised: ['mail-queue'], mailed: 1, posted: 1 });
    await waiting('90 minutes');
    expect(await run()).toMatchObject({ standing: ['mail-queue'], raised: [], mailed: 0, posted: 0 });
    expect((await standingAlarms(db.database)).map(({ detail }) => detail)).toEqual([
      'the oldest mail has waited for 90 minutes',
    ]);
    expect(await mails()).toEqual([`alarm to ${TO}`]);
    await sent();
    expect(await run()).toMatchObject({ standing: [], cleared: ['mail-queue'], mailed: 1, posted: 1 });
    await run();
    expect(await mails()).toEqual([`alarm to ${TO}`, `alarm-cleared to ${TO}`]);
    expect(events().map(({ alarm, state }) => `${alarm} ${state}`)).toEqual([
      'mail-queue raised',
      'mail-queue cleared',
    ]);
    expect(events()[0]?.since).toBe(events()[1]?.since);
    expect(lines).toEqual(['alarm raised', 'alarm cleared']);
    await waiting('2 hours');
    expect(await run()).toMatchObject({ raised: ['mail-queue'] });
  });

  it('does not take mails for a queue that stands still, while the migration is paused', async () => {
    await waiting('3 hours');
    await db.database.execute(sql`insert into sallyport_switches (name, who) values ('migration', 'x')`);
    expect(await run()).toMatchObject({ raised: [] });
    await db.database.execute(sql`delete from sallyport_switches`);
  });

  it('signs what it posts over the time and the very bytes', async () => {
    await waiting('2 hours');
    await run();
    const [{ signature, body } = { signature: '', body: '' }] = posted;
    const [, t = '', v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
    expect(v1).toBe(createHmac('sha256', KEY).update(`${t}.${body}`).digest('hex'));
    expect(Math.abs(Number(t) - Date.now() / 1_000)).toBeLessThan(300);
    expect(body).not.toContain('@');
  });

  it('posts again what the webhook did not take, under the same id, and in order', async () => {
    statuses = [500, 302];
    await waiting('2 hours');
    expect(await run()).toMatchObject({ posted: 0, failed: 1 });
    await sent();
    const due = () =>
      db.database.execute(sql`update sallyport_alarm_events set due_at = now() where status = 'pending'`);
    await due();
    expect(await run()).toMatchObject({ cleared: ['mail-queue'], failed: 1 });
    await due();
    expect(await run()).toMatchObject({ posted: 2, failed: 0 });
    expect(events().map(({ state }) => state)).toEqual(['raised', 'raised', 'raised', 'cleared']);
    expect(new Set(events().map(({ id }) => id)).size).toBe(2);
  });

  it('tells once, although eight instances look at the same time', async () => {
    await waiting('2 hours');
    const pools = Array.from({ length: 8 }, () => db.another());
    const results = await Promise.all(pools.map((database) => run([], database)));
    expect(results.flatMap((each) => each['raised'])).toEqual(['mail-queue']);
    await run();
    expect(await mails()).toEqual([`alarm to ${TO}`]);
    expect(posted.length).toBe(1);
    await sent();
    const cleared = await Promise.all(pools.map((database) => run([], database)));
    expect(cleared.flatMap((each) => each['cleared'])).toEqual(['mail-queue']);
    await run();
    expect(posted.length).toBe(2);
    expect(lines).toEqual(['alarm raised', 'alarm cleared']);
  });

  it('makes up for a run that was cut off before it mailed and posted', async () => {
    await waiting('2 hours');
    const mute = portsOn(db.database);
    await alarmsJobs({
      ...mute,
      outbox: null,
      platform: { ...mute.platform, exchange: () => Promise.reject(new Error('cut off')) },
    }).alarms.run({
      signal: new AbortController().signal,
      dryRun: false,
    });
    await db.database.execute(sql`update sallyport_alarm_events set due_at = now()`);
    expect(await mails()).toEqual([]);
    expect(await run()).toMatchObject({ raised: [], mailed: 1, posted: 1 });
  });

  it('changes nothing in a preview', async () => {
    await waiting('2 hours');
    const job = alarmsJobs(portsOn(db.database)).alarms;
    expect(await job.run({ signal: new AbortController().signal, dryRun: true })).toEqual({
      found: ['mail-queue'],
    });
    expect([await mails(), posted]).toEqual([[], []]);
    expect(await run()).toMatchObject({ raised: ['mail-queue'] });
  });

  it('tells of bounces over 2 %, and of a provider that is away', async () => {
    await put(
      db.database,
      portsOn(db.database).outbox,
      ...Array.from({ length: 100 }, (_none, n) => invitation(n)),
    );
    await db.database.execute(sql`update sallyport_outbox set status = 'sent', finished_at = now()`);
    const bounce = (n: number) =>
      db.database.execute(
        sql`update sallyport_outbox set bounced_at = now() where recipient = ${`user-${n}@example.org`}`,
      );
    await bounce(1);
    await bounce(2);
    expect(await run([{ name: 'kanidm', issuer: `${url}/idm` }])).toMatchObject({ raised: [] });
    await bounce(3);
    expect(await run([{ name: 'kanidm', issuer: `${url}/gone/` }])).toMatchObject({
      raised: ['mail-bounces', 'provider-away'],
    });
    expect(events().find(({ alarm }) => alarm === 'provider-away')?.detail).toBe('kanidm: answers 503');
    expect(await run([{ name: 'kanidm', issuer: 'http://127.0.0.1:1' }])).toMatchObject({
      raised: [],
      cleared: [],
    });
    expect(await run([{ name: 'kanidm', issuer: `${url}/idm` }])).toMatchObject({
      cleared: ['provider-away'],
    });
  });

  it('takes no bounce of nine mails for a rate', async () => {
    const { outbox } = portsOn(db.database);
    const send = async (count: number): Promise<void> => {
      await put(db.database, outbox, ...Array.from({ length: count }, (_none, n) => invitation(n)));
      await db.database.execute(
        sql`update sallyport_outbox set status = 'sent', finished_at = now() where kind = 'invitation'`,
      );
    };
    await send(9);
    await db.database.execute(
      sql`update sallyport_outbox set bounced_at = now() where recipient = 'user-1@example.org'`,
    );
    expect(await run()).toMatchObject({ raised: [] });
    await send(10);
    expect(await run()).toMatchObject({ raised: ['mail-bounces'] });
  });

  it('tells of a rate at risk and of failing callbacks, from figures that have been counted', async () => {
    expect(await run()).toMatchObject({ standing: [] });
    const { tenantId } = await makeTenant(db.database);
    await db.database.execute(sql`insert into users (tenant_id, email, password_hash, full_name, auth_method)
      select ${tenantId}::uuid, i || '@example.net', 'x', 'N', 'password' from generate_series(1, 20) i`);
    await db.database.execute(sql`insert into sallyport_waves (name, cohort, start_at, started_at, state)
      values (${randomUUID()}, '{}', now(), now() - interval '8 days', 'running')`);
    await refreshFigures(db.database);
    expect(await run()).toMatchObject({ raised: ['migration-rate'] });
    const refused = (callbacks: number) =>
      db.database.execute(sql`insert into sallyport_audit (who, what, source, subject, detail)
        select 'x', 'sign_in_refused', 'cli', user_id, '{"by": "kanidm"}' from users where tenant_id = ${tenantId}::uuid limit ${callbacks}::int`);
    await refused(9);
    await refreshFigures(db.database);
    expect(await run(), 'a share of few says nothing').toMatchObject({ raised: [] });
    await refused(1);
    await refreshFigures(db.database);
    expect(await run()).toMatchObject({
      raised: ['callback-errors'],
      standing: ['migration-rate', 'callback-errors'],
    });
    await db.database.execute(
      sql`update users set migration_completed_at = now(), auth_method = 'dual' where tenant_id = ${tenantId}::uuid`,
    );
    await refreshFigures(db.database);
    expect(await run()).toMatchObject({ cleared: ['migration-rate'] });
  });

  it('shows in /metrics what stands', async () => {
    const ports = portsOn(db.database);
    createAlarms(ports);
    await waiting('2 hours');
    expect((await ports.platform.metrics.render()).body).toContain('sallyport_alarm{alarm="mail-queue"} 0');
    await run();
    const { body } = await ports.platform.metrics.render();
    expect(body).toContain('sallyport_alarm{alarm="mail-queue"} 1');
    expect(body).toContain('sallyport_alarm{alarm="provider-away"} 0');
  });

  it('mails the week once, with bars, targets and alarms', async () => {
    await refreshFigures(db.database);
    const report = () =>
      alarmsJobs(portsOn(db.database))['weekly-report'].run({
        signal: new AbortController().signal,
        dryRun: false,
      });
    const [first, second] = await Promise.all([report(), report()]);
    expect(Number(first['mailed']) + Number(second['mailed'])).toBe(1);
    const [mail] = await db.database.query(
      sql`select content::text as content from sallyport_outbox where kind = 'weekly-report'`,
      z.object({ content: z.string() }),
    );
    const { values } = z
      .object({ values: z.record(z.string(), z.string()) })
      .parse(JSON.parse(mail?.content ?? ''));
    expect(values['across_bar']).toMatch(/^[█░]{24}$/);
    expect(values['week']).toMatch(/^\d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d$/);
    expect(values['kpi_a']).toContain('target 95 % in 60 days');
    expect(values['dashboard_link']).toBe('https://app.example.org/analytics');
    expect(Object.keys(values).filter((key) => /^day_[a-g]$/.test(key)).length).toBe(7);
  });
});
