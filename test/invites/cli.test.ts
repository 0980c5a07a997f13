/** `sallyport waves`, on a real Postgres and a real SMTP server on loopback. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { field } from '../mail/stage.ts';
import { startSmtp, type SmtpService } from '../services/smtp.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';
import { emptied, linkIn, PUBLIC_URL, waveStage, waveVariables, type WaveStage } from './stage.ts';

describe('sallyport waves', () => {
  let db: MigratedDatabase;
  let smtp: SmtpService;
  let stage: WaveStage;
  let variables: Variables;
  let folder: string;
  beforeAll(async () => {
    [db, smtp, folder] = await Promise.all([
      DATABASE.start(),
      startSmtp(),
      mkdtemp(join(tmpdir(), 'sallyport-waves-')),
    ]);
    variables = waveVariables(db.url, smtp.port);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    await smtp.close();
    await db.close();
  });
  beforeEach(async () => {
    await emptied(db.database);
    smtp.received.length = 0;
    stage = waveStage(db.database, smtp.port);
    await stage.tenant('acme');
    await stage.tenant('birch');
    for (const tenant of ['acme', 'birch']) await stage.people(tenant, 3);
  });

  const run = (line: string, more: Variables = {}) =>
    sallyport({ ...variables, ...more }, ...line.split(' '));
  const json = async (line: string, more: Variables = {}): Promise<Record<string, unknown>> => {
    const answer = await run(`${line} --json`, more);
    expect([answer.code, answer.stderr, answer.stdout]).toEqual([0, '', expect.any(String)]);
    return JSON.parse(answer.stdout) as Record<string, unknown>;
  };
  const refused = async (line: string, why: string | RegExp, more: Variables = {}) => {
    const answer = await run(line, more);
    expect(answer).toMatchObject({ code: 1, stderr: expect.stringMatching(why) as unknown });
  };
  const mailed = (): string[] => smtp.received.flatMap(({ to }) => to).toSorted();

  it('counts what it then takes, and goes the way of a wave', async () => {
    const options =
      '--tenant acme --start 2999-01-11 --deadline 2999-03-31 --remind 7d,-3d --rate 60/60s --stop-when bounces>2%,tickets>10';
    await stage.person('acme', 'new@example.org', { provisioned: false });
    const preview = await json(`waves create pilot ${options} --dry-run`);
    expect(preview).toMatchObject({
      ...{ wave: 'pilot', state: 'planned', dry_run: true, people: 3, unmailable: 0 },
      ...{ start: '2999-01-11T00:00:00.000Z', deadline: '2999-03-31T23:59:59.999Z', remind: ['7d', '-3d'] },
      ...{
        rate: '60/60s',
        stop_when: ['bounces>2%', 'tickets>10'],
        tenants: [{ tenant: 'acme', people: 3 }],
      },
      left_out: { not_provisioned: 1, in_another_wave: 0 },
      not_provisioned: [{ tenant: 'acme', email: 'new@example.org' }],
    });
    expect(await json('waves list')).toEqual([]);
    expect(await json(`waves create pilot ${options}`)).toEqual({ ...preview, dry_run: false });
    await refused(`waves create pilot ${options}`, 'there is a wave pilot already');
    expect(await json('waves show pilot')).toMatchObject({ state: 'planned', would_take: 3, people: 0 });
    expect(await json('waves start pilot --dry-run')).toMatchObject({
      state: 'planned',
      people: 3,
      dry_run: true,
    });
    expect(await json('waves start pilot')).toMatchObject({ state: 'running', people: 3, dry_run: false });
    await refused('waves start pilot', 'pilot is running');
    expect(await json('cron run wave-reminders')).toMatchObject({ invited: 3 });
    expect(await json('waves pause pilot --dry-run')).toMatchObject({ state: 'running', waiting: 3 });
    expect(await json('waves pause pilot')).toMatchObject({
      state: 'paused',
      waiting: 3,
      people: 3,
      mailed: 0,
    });
    expect(await json('cron run mail-send')).toMatchObject({ sent: 0 });
    await refused('waves pause pilot', 'pilot is paused');
    expect(await json('waves resume pilot')).toMatchObject({ state: 'running' });
    expect(await json('cron run mail-send')).toMatchObject({ sent: 3 });
    expect(await json('cron run wave-reminders')).toMatchObject({ settled: 3 });
    expect(await json('waves list')).toMatchObject([
      { wave: 'pilot', state: 'running', people: 3, mailed: 3 },
    ]);
    expect(await json('waves show pilot')).toMatchObject({
      mails: { sent: 3, waiting: 0, bounced: 0 },
      unreached: 0,
    });
    expect(await json('waves create rest --all --start 2999-01-11 --dry-run')).toMatchObject({
      people: 3,
      left_out: { in_another_wave: 3, not_provisioned: 1 },
    });
    expect(await json('waves cancel pilot')).toMatchObject({ state: 'cancelled' });
    for (const change of ['start', 'pause', 'resume', 'cancel'])
      await refused(`waves ${change} pilot`, 'pilot is cancelled');
    expect(mailed()).toHaveLength(3);
    expect((await run('waves show pilot')).stdout).toContain('3 mailed');
  });

  it('says what is wrong with a wave before it is planned', async () => {
    const rest = '--start 2999-01-11';
    for (const line of [
      `create one ${rest}`,
      'create one --all',
      `create one --all --tenant acme ${rest}`,
      `create one --all ${rest} --percent 0`,
      `create one --all ${rest} --percent 101`,
      `create one --all ${rest} --remind 7d,7d`,
      `create one --all ${rest} --remind soon`,
      `create one --all ${rest} --rate fast`,
      `create one --all ${rest} --stop-when bounces>2`,
      `create one --all ${rest} --stop-when tickets>10%`,
      `create one --all ${rest} --stop-when mails>2%`,
      `create one --all ${rest} --active-within 0d`,
      'create one --all --start tomorrow',
      'create one --all --start 2999-02-30',
      `create .. --all ${rest}`,
      'codes one',
    ])
      expect([line, (await run(`waves ${line}`)).code]).toEqual([line, 2]);
    await refused(`waves create one --tenant acme,nowhere ${rest}`, 'there is no tenant nowhere');
    await refused('waves create one --all --start 2020-01-01 --deadline 2020-01-02', 'the deadline is past');
    await refused(`waves create one --all ${rest} --deadline 2999-01-10`, 'before the start');
    await refused(`waves create one --all ${rest} --invite-code`, '--invite-code is of Zitadel', {
      ...{ MIGRATION_PROVIDER: 'kanidm', KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/app' },
    });
    for (const command of ['show', 'start', 'pause', 'preview'])
      await refused(`waves ${command} none`, 'there is no wave none');
  });

  it('refuses to start without mail and while the migration is paused', async () => {
    await json('waves create one --all --start 2999-01-11');
    await refused('waves start one', 'MAIL_URL is missing', { MAIL_URL: '' });
    await json('migration pause');
    await refused('waves start one', 'the migration is paused');
    await refused('waves resend user-1@acme.example.org', 'the migration is paused');
    await json('migration resume');
    expect(await stage.state('one')).toBe('planned');
    expect(await json('waves start one')).toMatchObject({ people: 6 });
  });

  it('starts at its time by the job alone', async () => {
    await json('waves create one --tenant acme --start 2020-01-01');
    expect(await json('cron run wave-reminders --dry-run')).toMatchObject({ would_start: ['one'] });
    expect(await json('cron run wave-reminders')).toMatchObject({ started: 1, invited: 3 });
    expect(await json('cron run mail-send')).toMatchObject({ sent: 3 });
  });

  it('shows the mails of a wave as text, as files, and at one address, with links that lead nowhere', async () => {
    await json('waves create one --tenant acme --start 2999-01-11 --deadline 2999-03-31 --remind 7d,-3d');
    const shown = await run('waves preview one');
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${PUBLIC_URL}/invites/preview`) as unknown,
    });
    const out = join(folder, 'mails');
    expect(await json(`waves preview one --out ${out}`)).toMatchObject({
      mails: [{ step: 'invite' }, { step: 'remind-7d' }, { step: 'remind--3d' }],
    });
    expect((await readdir(out)).toSorted()).toEqual([
      ...['acme-invite.html', 'acme-invite.txt', 'acme-remind--3d.html', 'acme-remind--3d.txt'],
      ...['acme-remind-7d.html', 'acme-remind-7d.txt'],
    ]);
    expect(await readFile(join(out, 'acme-invite.txt'), 'utf8')).toMatch(
      /^Subject: .*\n\n[^]*March 31, 2999/,
    );
    await json('waves preview one --to me@example.org');
    expect(mailed()).toEqual(['me@example.org']);
    expect(await stage.state('one')).toBe('planned');
    expect((await run('waves preview one --to nobody')).code).toBe(2);
  });

  it('mails one person a new link, in a wave or in none; the one before no longer counts', async () => {
    await json('waves create one --tenant acme --start 2020-01-01');
    await json('cron run wave-reminders');
    await json('cron run mail-send');
    smtp.received.length = 0;
    expect(await json('waves resend user-1@acme.example.org --dry-run')).toMatchObject({ dry_run: true });
    for (const user of ['user-1@acme.example.org', 'user-1@acme.example.org', 'user-2@birch.example.org'])
      expect(await json(`waves resend ${user}`)).toMatchObject({ email: user, dry_run: false });
    await json('cron run mail-send');
    expect(
      smtp.received.map(({ raw }) => /\.([a-z]+-\d)@/.exec(field(raw, 'Message-ID') ?? '')?.[1]).toSorted(),
    ).toEqual(['resend-1', 'resend-1', 'resend-2']);
    expect(new Set(smtp.received.map(({ raw }) => linkIn(raw))).size).toBe(3);
    await json('cron run wave-reminders');
    const living = await db.database.query(
      sql`select count(*)::int as n from sallyport_invitation_steps s join sallyport_invitations i on i.invitation_id = s.invitation_id
          join users u on u.user_id = i.user_id where u.email = 'user-1@acme.example.org' and s.superseded_at is null`,
      { parse: (row) => (row as { n: number }).n },
    );
    expect(living).toEqual([1]);
    await db.database.execute(
      sql`update users set migration_completed_at = now() where email like 'user-1@acme%'`,
    );
    await refused('waves resend user-1@acme.example.org', 'is across already');
    await refused('waves resend nobody@example.org', 'there is no user');
    expect(await json('audit list --what invited')).toHaveLength(3);
  });

  it('writes a sheet with a link for each person whom no mail reaches, for its owner alone', async () => {
    await db.database.execute(
      sql`insert into sallyport_mail_suppressed (address_hash, reason) values (sha256(convert_to('user-2@acme.example.org', 'UTF8')), 'hard bounce')`,
    );
    await db.database.execute(
      sql`update users set full_name = '<b>User</b>' where email = 'user-2@acme.example.org'`,
    );
    expect(await json('waves create one --tenant acme --start 2020-01-01')).toMatchObject({
      people: 3,
      unmailable: 1,
    });
    const out = join(folder, 'codes.html');
    await refused(`waves codes one --out ${out}`, 'one is planned');
    expect(await json('cron run wave-reminders')).toMatchObject({ invited: 2 });
    expect(await json(`waves codes one --out ${out} --dry-run`)).toEqual({
      wave: 'one',
      people: 1,
      file: null,
      dry_run: true,
    });
    await writeFile(out, 'before', { mode: 0o644 });
    expect((await run(`waves codes one --out ${out}`)).code).toBe(0);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    const sheet = await readFile(out, 'utf8');
    expect(sheet).toContain('&lt;b&gt;User&lt;/b&gt;');
    expect(sheet.match(/<svg/g)).toHaveLength(1);
    const token = /<code>([^<]+)<\/code>/.exec(sheet)?.[1]?.replaceAll(' ', '') ?? '';
    const found = await db.database.query(
      sql`select s.step from sallyport_invitation_steps s where s.token_hash = sha256(convert_to(${token}, 'UTF8')) and s.superseded_at is null`,
      { parse: (row) => (row as { step: string }).step },
    );
    expect(found).toEqual(['code-1']);
    expect((await run(`waves codes one --out ${join(folder, 'none', 'codes.html')}`)).code).toBe(1);
  });
});
