import { expect, it } from 'vitest';
import * as z from 'zod';
import { authJobs } from '../../functions/auth/jobs.ts';
import { parseStopWhen } from '../../shared/invitations/steps.ts';
import { triggerMet } from '../../shared/invitations/triggers.ts';
import { startWave } from '../../shared/invitations/start.ts';
import { createWave, findWave } from '../../shared/invitations/waves.ts';
import { sql } from '../../shared/ports/database.ts';
import { auditOf, makeTenant, makeUser, PASSWORD, type MadeUser } from '../auth/people.ts';
import { authSuite, bearer, signIn } from '../auth/suite.ts';
import { expectRefusal } from '../support/refusal.ts';
import { BY, EVERYBODY } from './stage.ts';
import { ALONE, FORM, invitationRow, invite, mailTo, makeWave } from './door.ts';

const Status = z.object({ status: z.string(), error: z.string().nullable() });
authSuite('what comes after an invitation', { variables: () => ALONE }, (stage) => {
  const fetched = (
    path: string,
    sent: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ) => stage.gateway.fetch(path, sent);
  const post = (path: string, body: string, headers: Record<string, string> = FORM) =>
    fetched(path, { method: 'POST', headers, body });
  const execute = (statement: ReturnType<typeof sql>) => stage.database.execute(statement);
  const person = () => makeUser(stage.database);
  const statusOf = async (messageId: string): Promise<string | undefined> =>
    (
      await stage.database.query(
        sql`select status, last_error as error from sallyport_outbox where message_id = ${messageId}`,
        Status,
      )
    )[0]?.status;

  it('GET of the unsubscription asks, and changes nothing', async () => {
    const invited = await invite(stage, await person());
    const answer = await fetched(`${invited.path}/unsubscribe`);
    expect([answer.status, answer.headers.get('referrer-policy')]).toEqual([200, 'no-referrer']);
    expect(await answer.text()).toContain('still come');
    await fetched(`${invited.path}/unsubscribe`, { method: 'HEAD' });
    expect((await invitationRow(stage, invited)).unsubscribed).toBe(false);
  });

  it('one click of a mail service unsubscribes without cookies, from anywhere, and drops waiting reminders alone', async () => {
    const user = await person();
    const invited = await invite(stage, user);
    const [reminder, deadline] = [
      await mailTo(stage, user, 'reminder'),
      await mailTo(stage, user, 'deadline'),
    ];
    const oneClick = {
      'content-type': 'application/x-www-form-urlencoded',
      origin: 'https://mail.example.org',
      'sec-fetch-site': 'cross-site',
    };
    const answer = await post(`${invited.path}/unsubscribe`, 'List-Unsubscribe=One-Click', oneClick);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('still come');
    expect((await post(`${invited.path}/unsubscribe`, '', {})).status).toBe(200);
    expect((await invitationRow(stage, invited)).unsubscribed).toBe(true);
    expect([await statusOf(reminder), await statusOf(deadline)]).toEqual(['dead', 'pending']);
    expect((await auditOf(stage.database, user.userId)).map(({ what }) => what)).toEqual(['unsubscribed']);
  });

  it('a wrong password of one of a few people pauses no wave; passwords that fail for all of them do', async () => {
    const tenant = await makeTenant(stage.database);
    const users: MadeUser[] = [];
    for (let n = 0; n < 3; n += 1) users.push(await makeUser(stage.database, { tenant }));
    const plan = {
      ...{ name: tenant.slug, startAt: new Date(), deadline: null, rate: null, inviteCode: true, remind: [] },
      ...{ cohort: { ...EVERYBODY, tenants: [tenant.tenantId] }, stopWhen: parseStopWhen('failures>5%')! },
    };
    await createWave(stage.database, plan, BY);
    await startWave(stage.database, (await findWave(stage.database, tenant.slug))!, BY);
    const wave = (await findWave(stage.database, tenant.slug))!;
    const mistyped = (user: MadeUser) =>
      stage.post('login', { tenant: user.slug, email: user.email, password: 'wrong' });
    for (const user of users) for (let n = 0; n < 4; n += 1) await signIn(stage, user);
    await mistyped(users[0]!);
    expect(await triggerMet(stage.database, wave)).toBeUndefined();
    for (const user of users) for (let n = 0; n < 3; n += 1) await mistyped(user);
    expect(await triggerMet(stage.database, wave)).toMatch(/^failures>5%: 10 of 22 sign-ins/);
  });

  it('who unsubscribed is not reminded by a later wave either, also once the invitation is deleted', async () => {
    const user = await person();
    expect((await post(`${(await invite(stage, user)).path}/unsubscribe`, '')).status).toBe(200);
    await execute(
      sql`update sallyport_invitations set ended_at = now() - interval '401 days' where user_id = ${user.userId}`,
    );
    const prune = authJobs({ database: stage.database })['records-prune'];
    await prune.run({ signal: new AbortController().signal, dryRun: false });
    await createWave(
      stage.database,
      {
        ...{ name: user.userId, startAt: new Date(), deadline: null, rate: null, inviteCode: true },
        ...{ cohort: { ...EVERYBODY, tenants: [user.tenantId] }, remind: [], stopWhen: [] },
      },
      BY,
    );
    await startWave(stage.database, (await findWave(stage.database, user.userId))!, BY);
    const invitations = await stage.database.query(
      sql`select unsubscribed_at is not null as unsubscribed from sallyport_invitations where user_id = ${user.userId}`,
      z.object({ unsubscribed: z.boolean() }),
    );
    expect(invitations).toEqual([{ unsubscribed: true }]);
  });

  it('any token that was mailed unsubscribes for a year, a replaced and an expired one too', async () => {
    const user = await person();
    const first = await invite(stage, user);
    const second = await invite(stage, user, { invitation: first.invitation, step: 'remind-7d' });
    await execute(
      sql`update sallyport_invitation_steps set expires_at = now() where invitation_id = ${first.invitation}`,
    );
    expect((await fetched(first.path)).status).toBe(404);
    await execute(
      sql`update sallyport_invitation_steps set sent_at = now() - interval '364 days' where invitation_id = ${first.invitation}`,
    );
    expect((await post(`${first.path}/unsubscribe`, '')).status).toBe(200);
    expect((await invitationRow(stage, first)).unsubscribed).toBe(true);
    await execute(
      sql`update sallyport_invitation_steps set sent_at = now() - interval '366 days' where invitation_id = ${first.invitation}`,
    );
    for (const path of [first.path, second.path, `/invites/${'A'.repeat(43)}`])
      expect((await post(`${path}/unsubscribe`, '')).status).toBe(404);
  });

  it('the survey opens after completion, takes 1 to 5 and a text, and counts once', async () => {
    const user = await person();
    const invited = await invite(stage, user);
    const path = `${invited.path}/survey`;
    expect([(await fetched(path)).status, (await post(path, 'score=5')).status]).toEqual([404, 404]);
    await execute(sql`update users set migration_completed_at = now() where user_id = ${user.userId}`);
    const shown = await fetched(path);
    expect([shown.status, (await shown.text()).match(/type="radio"/g)?.length]).toEqual([200, 5]);
    for (const wrong of ['score=0', 'score=6', 'score=4.5', 'score=', 'text=x', 'score=1e0'])
      expect([wrong, (await post(path, wrong)).status]).toEqual([wrong, 400]);
    await expectRefusal(
      await post(path, 'score=1', { ...FORM, 'sec-fetch-site': 'cross-site' }),
      'cross_site',
    );
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post(path, 'score=4&text=Quick%20%3Cb%3E%00')),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      200,
      ...Array.from({ length: 9 }, () => 409),
    ]);
    expect(await invitationRow(stage, invited)).toMatchObject({ score: 4, text: 'Quick <b>' });
    expect((await post(path, 'score=1')).status).toBe(409);
    expect((await invitationRow(stage, invited)).score).toBe(4);
  });

  it('the caller sees state, deadline and where to start, and may put reminders off once', async () => {
    const user = await person();
    const deadline = new Date('2031-05-01T23:59:59.999Z');
    const { access_token } = await signIn(stage, user);
    const later = () => stage.post('migration/later', undefined, bearer(access_token));
    await expectRefusal(await later(), 'not_found');
    const invited = await invite(stage, user, { wave: await makeWave(stage, { deadline }) });
    await execute(sql`update users set migration_invited_at = now() where user_id = ${user.userId}`);
    const me = z
      .object({ migration: z.unknown() })
      .parse(await (await stage.get('me', bearer(access_token))).json());
    const migration = {
      state: 'invited',
      deadline: deadline.toISOString(),
      start_url: expect.stringContaining('/api/v1/auth/oauth/authorize?provider=kanidm&tenant=') as string,
    };
    expect(me.migration).toEqual(migration);
    expect((await signIn(stage, user)).migration).toEqual(migration);
    const answers = await Promise.all([later(), later(), later()]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
    await expectRefusal(await later(), 'already_done');
    expect((await invitationRow(stage, invited)).later_days).toBe(7);
    await expectRefusal(await stage.post('migration/later'), 'missing_token');
  });

  it('the earliest deadline of wave and tenant ends the password, and a cancelled wave binds nobody', async () => {
    const tenant = await makeTenant(stage.database);
    const user = await makeUser(stage.database, { tenant });
    const past = new Date(Date.now() - 60_000);
    const wave = await makeWave(stage, { deadline: past });
    const login = (password = PASSWORD) =>
      stage.post('login', { tenant: tenant.slug, email: user.email, password });
    expect((await login()).status).toBe(200);
    await invite(stage, user, { wave });
    await expectRefusal(await login(), 'password_deadline_passed');
    await expectRefusal(await login('wrong'), 'invalid_credentials');
    const set = (deadline: Date) =>
      execute(sql`insert into sallyport_tenants (tenant_id, deadline) values (${tenant.tenantId}, ${deadline})
        on conflict (tenant_id) do update set deadline = excluded.deadline`);
    await set(new Date(Date.now() + 3_600_000));
    await expectRefusal(await login(), 'password_deadline_passed');
    await execute(sql`update sallyport_waves set state = 'cancelled' where wave_id = ${wave}`);
    expect((await login()).status).toBe(200);
    await set(past);
    await expectRefusal(await login(), 'password_deadline_passed');
  });

  it('what follows a token and is no page is the neutral one', async () => {
    const invited = await invite(stage, await person());
    const [one, other] = [
      await fetched(`${invited.path}/further`),
      await fetched(`/invites/${'A'.repeat(43)}`),
    ];
    expect([one.status, await one.text()]).toEqual([404, await other.text()]);
  });
});
