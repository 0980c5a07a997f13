// Long because each check is turned red beside the same database or the same stand-ins.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { zitadelSigned } from '../../shared/edge/zitadel-signature.ts';
import { HANDLED_EVENT_TYPES } from '../../functions/webhooks/event.ts';
import { json, sql } from '../../shared/ports/database.ts';
import { instance, invitation, put } from '../mail/stage.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { serve, type Served } from '../support/serve.ts';
import { startZitadelAnswers, type ZitadelAnswers } from './zitadel-api.ts';
import { containing, doctor, found } from './stage.ts';

const [, POSTGRES] = DATABASES;
const KEY = 'the-signing-key-of-a-target';

describe('the check of webhooks', () => {
  let zitadel: ZitadelAnswers;
  let gateway: Served;
  let variables: Record<string, string>;
  const probes: string[] = [];
  const executions = (...events: readonly object[]): void => {
    zitadel.set('POST /v2/actions/executions/search', {
      pagination: { totalResult: String(events.length) },
      executions: events.map((event) => ({ condition: { event }, targets: ['1'] })),
    });
  };
  beforeAll(async () => {
    gateway = await serve(0, async (request) => {
      if (new URL(request.url).pathname !== '/webhooks/zitadel') return new Response('', { status: 404 });
      const body = new Uint8Array(await request.arrayBuffer());
      try {
        await zitadelSigned(request.headers.get('zitadel-signature') ?? '', async () => body, [KEY], Date);
      } catch {
        return Response.json({ code: 'invalid_signature' }, { status: 401 });
      }
      probes.push(new TextDecoder().decode(body));
      return Response.json({ status: 'ignored' });
    });
  });
  afterAll(() => gateway.close());
  beforeEach(async () => {
    zitadel = await startZitadelAnswers();
    variables = {
      ZITADEL_ISSUER_URL: zitadel.url,
      ZITADEL_API_URL: zitadel.url,
      ZITADEL_AUDIENCE: 'api',
      ZITADEL_SERVICE_TOKEN: zitadel.token,
      WEBHOOK_SIGNING_KEYS: KEY,
    };
    const endpoint = `${gateway.url}/webhooks/zitadel`;
    zitadel.set('POST /v2/actions/targets/search', {
      targets: [{ id: '1', name: 'sallyport', endpoint, signingKey: KEY }],
    });
    executions(...HANDLED_EVENT_TYPES.map((event) => ({ event })));
    return () => zitadel.close();
  });

  it('is green where every event leads to a gateway that takes a signed probe', async () => {
    expect(await found(variables, 'webhooks')).toMatchObject({ status: 'green' });
    expect(JSON.parse(probes.at(-1) ?? '')).toMatchObject({ event_type: 'sallyport.doctor.probe' });
    executions({ group: 'user' }, { event: 'org.removed' });
    expect(await found(variables, 'webhooks')).toMatchObject({ status: 'green' });
  });

  it('is red for an event that leads nowhere, also where an exact execution hides the group', async () => {
    executions({ group: 'user' });
    expect(await found(variables, 'webhooks')).toMatchObject({
      status: 'red',
      cause: containing('org.removed'),
    });
    zitadel.set('POST /v2/actions/executions/search', {
      executions: [
        { condition: { event: { all: true } }, targets: ['1'] },
        { condition: { event: { event: 'user.removed' } }, targets: ['another'] },
      ],
    });
    expect(await found(variables, 'webhooks')).toMatchObject({
      status: 'red',
      cause: containing('leads user.removed to'),
    });
  });

  it('is red where the keys are others, at the target or at the gateway, and prints neither', async () => {
    const foreign = await found({ ...variables, WEBHOOK_SIGNING_KEYS: 'another-signing-key' }, 'webhooks');
    expect([foreign.status, foreign.cause]).toEqual(['red', containing('signs by a key')]);
    expect(foreign.cause).toContain('refuses the signature');
    for (const key of [KEY, 'another-signing-key']) expect(JSON.stringify(foreign)).not.toContain(key);
  });

  it('is red without a target, and for one that leads elsewhere', async () => {
    zitadel.set('POST /v2/actions/targets/search', { targets: [] });
    expect(await found(variables, 'webhooks')).toMatchObject({
      status: 'red',
      next: 'sallyport zitadel setup',
    });
    const endpoint = `${gateway.url}/other/webhooks/zitadel`;
    zitadel.set('POST /v2/actions/targets/search', { targets: [{ id: '1', endpoint }] });
    expect(await found(variables, 'webhooks')).toMatchObject({ status: 'red', cause: containing('404') });
  });
});

describe.skipIf(POSTGRES.missing)('checks of regular work (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  let variables: Record<string, string>;
  beforeAll(async () => {
    db = await POSTGRES.start();
    variables = {
      DATABASE_URL: db.url,
      ZITADEL_ISSUER_URL: 'http://127.0.0.1:1',
      ZITADEL_AUDIENCE: 'api',
      ZITADEL_SERVICE_TOKEN: 'a-token-that-nobody-takes',
    };
  });
  afterAll(() => db.close());
  beforeEach(async () => {
    await db.database.execute(
      sql`truncate sallyport_leases, sallyport_cron_runs, sallyport_webhook_events, sallyport_runs, sallyport_alarms, sallyport_outbox, sallyport_audit cascade`,
    );
  });
  /** The last run of a job ended so long ago. */
  const ran = async (job: string, ago: string, detail: object = {}, outcome = 'done'): Promise<void> => {
    await db.database.execute(
      sql`with run as (
            insert into sallyport_cron_runs (run_id, job, started_at, finished_at, outcome, detail)
            values (gen_random_uuid(), ${job}, now() - ${ago}::interval, now() - ${ago}::interval, ${outcome}, ${json(detail)}::jsonb)
            returning run_id
          )
          insert into sallyport_leases (name, run_id, expires_at, last_success_at)
          select ${job}, run_id, now(), case when ${outcome} = 'done' then now() - ${ago}::interval end from run`,
    );
  };
  const JOBS = [
    ...[
      'webhooks-apply',
      'webhooks-reconcile',
      'revocations-remark',
      'webhooks-prune',
      'mail-send',
      'mail-prune',
    ],
    ...['figures-rollup', 'alarms', 'watch', 'weekly-report'],
  ];

  it('are green where jobs ran in time and nothing waits', async () => {
    for (const job of JOBS) await ran(job, '1 minute');
    const results = await doctor(variables, [
      'cron',
      'reconcile-lag',
      'webhook-inbox',
      'alarms',
      'feature-migration',
    ]);
    for (const { name, status } of Object.values(results)) expect([name, status]).toEqual([name, 'green']);
  });

  it('cron is red where no job has run, and where one has not for three of its times', async () => {
    expect(await found(variables, 'cron')).toMatchObject({
      status: 'red',
      cause: containing('no regular job'),
    });
    for (const job of JOBS) await ran(job, job === 'webhooks-apply' ? '20 minutes' : '1 minute');
    expect(await found(variables, 'cron')).toMatchObject({
      status: 'red',
      cause: containing('webhooks-apply'),
      next: 'sallyport cron run webhooks-apply',
    });
  });

  it('reconcile-lag is red after half an hour with its reason, and skipped where nothing is fetched', async () => {
    await ran('webhooks-reconcile', '45 minutes');
    expect(await found(variables, 'reconcile-lag')).toMatchObject({
      status: 'red',
      cause: containing('45 minutes ago'),
    });
    expect(await found({ ...variables, ZITADEL_SERVICE_TOKEN: '' }, 'reconcile-lag')).toMatchObject({
      status: 'skipped',
    });
  });

  it('webhook-inbox is red for an event that is set aside, and for one that waits', async () => {
    const event = (status: string, ago: string) =>
      db.database.execute(
        sql`insert into sallyport_webhook_events
              (id, instance_id, subject, sequence, position, type, source, payload, received_at, due_at, status, urgent)
            values (gen_random_uuid(), 'i', 'u', 1, 1, 'user.removed', 'event', '{}', now() - ${ago}::interval, now(), ${status}, true)`,
      );
    await event('dead', '1 minute');
    expect(await found(variables, 'webhook-inbox')).toMatchObject({
      status: 'red',
      cause: containing('set aside'),
    });
    await db.database.execute(
      sql`update sallyport_webhook_events set status = 'pending', received_at = now() - interval '1 hour'`,
    );
    expect(await found(variables, 'webhook-inbox')).toMatchObject({
      status: 'red',
      next: 'sallyport cron run webhooks-apply',
    });
  });

  it('alarms is red while an operational one stands, yellow for one about the move', async () => {
    const stands = (name: string) =>
      db.database.execute(
        sql`insert into sallyport_alarms (name, raised, since, detail, checked_at) values (${name}, true, now(), 'x', now())`,
      );
    await stands('migration-rate');
    expect(await found(variables, 'alarms')).toMatchObject({ status: 'yellow' });
    await stands('provider-away');
    expect(await found(variables, 'alarms')).toMatchObject({
      status: 'red',
      cause: containing('provider-away'),
    });
  });

  it('feature-migration is red for a rules file that is not there, a wrong one, and a run that was cut off', async () => {
    const files = { ...variables, ACCESS_RULES: '[]', ACCESS_RULES_PREV: '/nowhere/rules.json' };
    expect(await found(files, 'feature-migration')).toMatchObject({
      status: 'red',
      cause: containing('cannot be read'),
    });
    const wrong = { ...files, ACCESS_RULES_PREV: '[{"path":"a"}]' };
    expect(await found(wrong, 'feature-migration')).toMatchObject({
      status: 'red',
      cause: containing('feature migration fails'),
    });
    await db.database.execute(
      sql`insert into sallyport_runs (run_id, kind, fingerprint, plan, state, started_at, updated_at)
          values (gen_random_uuid(), 'feature sync', 'f', '{}', 'expanding', now() - interval '1 hour', now() - interval '1 hour')`,
    );
    const whole = { ...files, ACCESS_RULES_PREV: '[]' };
    expect(await found(whole, 'feature-migration')).toMatchObject({
      status: 'red',
      cause: containing('cut off'),
    });
    await db.database.execute(sql`update sallyport_runs set state = 'expanded'`);
    expect(await found(whole, 'feature-migration')).toMatchObject({
      status: 'yellow',
      next: containing('contract'),
    });
  });

  it('mail-queue is red for a mail that has waited for two hours', async () => {
    const mail = { ...variables, MAIL_URL: 'smtp://127.0.0.1:1?tls=off', MAIL_FROM: 'a@example.org' };
    expect(await found(mail, 'mail-queue')).toMatchObject({ status: 'green' });
    await put(db.database, instance(db.database, 1).outbox, invitation(1));
    await db.database.execute(sql`update sallyport_outbox set created_at = now() - interval '2 hours'`);
    expect(await found(mail, 'mail-queue')).toMatchObject({
      status: 'red',
      next: 'sallyport cron run mail-send',
    });
  });

  it('failed-sign-ins is red where refusals are ten times as many as usual', async () => {
    const auth = { ...variables, FUNCTIONS: 'auth', ZITADEL_SERVICE_TOKEN: '' };
    expect(await found(auth, 'failed-sign-ins')).toMatchObject({ status: 'green' });
    await db.database.execute(
      sql`insert into sallyport_audit (who, what, source) select 'anonymous', 'sign_in_refused', '203.0.113.7' from generate_series(1, 300)`,
    );
    expect(await found(auth, 'failed-sign-ins')).toMatchObject({ status: 'red', cause: containing('300') });
  });
});
