import { statSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { EVENTS } from '../../shared/configuration/zitadel-setup.ts';
import { without } from '../../dev/zitadel/settings.ts';
import {
  isCommand,
  openSetupGround,
  SECRETS,
  shapeOf,
  WANTED,
  variables,
  type SetupGround,
} from './setup-ground.ts';

let ground: SetupGround;
afterEach(() => ground.close());

const setup = (...more: readonly string[]): readonly string[] => [
  ...['setup', '--file', ground.file('setup.json')],
  ...more,
];
const toFile = (): readonly string[] => setup('--out', ground.file('out.env'));

describe('zitadel setup', () => {
  it('makes everything that the file names, and a second run changes nothing', async () => {
    const calls: Request[] = [];
    ground = await openSetupGround({ intercept: (request) => void calls.push(request) });
    const first = await ground.run(toFile());
    expect([first.code, first.result.error]).toEqual([0, undefined]);
    // One command a step; the others read, before and after.
    expect(calls.filter(isCommand)).toHaveLength(first.result.done.length);
    expect(calls.length).toBeLessThanOrEqual(70);
    const shape = shapeOf(ground.zitadel);
    const { settings } = ground.zitadel;
    expect(settings.now.executions.map(({ condition }) => JSON.stringify(condition)).sort()).toEqual(
      EVENTS.map((event) => JSON.stringify({ event: { event } })).sort(),
    );
    expect(settings.now.email.map(({ value }) => value['state'])).toEqual(['EMAIL_PROVIDER_ACTIVE']);
    expect(settings.now.idps).toHaveLength(2);
    const file = ground.read('out.env');
    const second = await ground.run(toFile());
    expect([second.code, second.result.changed, second.result.done]).toEqual([0, 0, []]);
    expect(calls.filter(isCommand)).toHaveLength(first.result.done.length);
    expect(shapeOf(ground.zitadel)).toEqual(shape);
    expect(ground.read('out.env')).toBe(file);
  });

  it('writes every variable that the bundle reads to --out, 0600, and no secret anywhere else', async () => {
    ground = await openSetupGround();
    const { stdout, stderr } = await ground.run(toFile());
    expect(statSync(ground.file('out.env')).mode & 0o777).toBe(0o600);
    const values = variables(ground.read('out.env'));
    expect(Object.keys(values).sort()).toEqual([
      ...['LOGIN_CLIENT_PAT', 'WEBHOOK_SIGNING_KEYS', 'ZITADEL_AUDIENCE', 'ZITADEL_CLIENT_ID'],
      ...['ZITADEL_CLIENT_SECRET', 'ZITADEL_OAUTH_CLIENT_ID', 'ZITADEL_OAUTH_CLIENT_SECRET'],
      'ZITADEL_SERVICE_TOKEN',
    ]);
    const [target] = ground.zitadel.settings.now.targets;
    expect(values['WEBHOOK_SIGNING_KEYS']).toBe(target!.value['signingKey']);
    // Tokens of service accounts name the project alone, those of people the web application as well.
    const [project] = ground.zitadel.settings.now.projects.keys();
    expect(values['ZITADEL_AUDIENCE']!.split(',').sort()).toEqual(
      [project, values['ZITADEL_OAUTH_CLIENT_ID']].sort(),
    );
    const secret = [
      'LOGIN_CLIENT_PAT',
      'WEBHOOK_SIGNING_KEYS',
      'ZITADEL_CLIENT_SECRET',
      'ZITADEL_OAUTH_CLIENT_SECRET',
      'ZITADEL_SERVICE_TOKEN',
    ];
    for (const each of [
      ...secret.map((name) => values[name]!),
      ...Object.values(SECRETS),
      ground.zitadel.token,
    ]) {
      expect(stdout).not.toContain(each);
      expect(stderr).not.toContain(each);
    }
    for (const each of Object.values(SECRETS)) expect(ground.read('out.env')).not.toContain(each);
  });

  it('accepts what is meant for the project where no web application is, and not where the file says so', async () => {
    ground = await openSetupGround();
    const { api, project } = WANTED;
    ground.write('setup.json', { project, api });
    expect((await ground.run(toFile())).code).toBe(0);
    const [id] = ground.zitadel.settings.now.projects.keys();
    expect(variables(ground.read('out.env'))['ZITADEL_AUDIENCE']).toBe(id);
    ground.write('setup.json', { project: { ...project, audience: false }, api });
    await ground.run(setup('--out', ground.file('other.env')));
    expect(variables(ground.read('other.env'))).not.toHaveProperty('ZITADEL_AUDIENCE');
  });

  it('gives the service account and the login client exactly their rights', async () => {
    ground = await openSetupGround();
    await ground.run(toFile());
    const { now } = ground.zitadel.settings;
    const rolesOf = (name: string) => now.members.find((each) => each.preferredLoginName === name)?.roles;
    expect(rolesOf('gateway-service')).toEqual(['IAM_OWNER_VIEWER']);
    expect(rolesOf('login-client')).toEqual(['IAM_LOGIN_CLIENT']);
    const token = variables(ground.read('out.env'))['ZITADEL_SERVICE_TOKEN']!;
    const answer = await fetch(`${ground.zitadel.url}/v2/users`, {
      ...{ method: 'POST', body: '{}' },
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(200);
  });

  it('reads the login policy, changes it, and writes it whole', async () => {
    ground = await openSetupGround();
    const before = ground.zitadel.settings.now.policies.get('login')!;
    await ground.run(toFile());
    const after = ground.zitadel.settings.now.policies.get('login')!;
    const rest = without(before, 'allowRegister', 'secondFactors');
    expect(after).toMatchObject(rest);
    expect(after['secondFactors']).toContain('SECOND_FACTOR_TYPE_OTP_EMAIL');
    expect(after['allowRegister'] ?? false).toBe(false);
  });

  it('forces a second factor where the administrators are, not for everybody, and says where Zitadel cannot', async () => {
    ground = await openSetupGround();
    const { result } = await ground.run(toFile());
    const { policies } = ground.zitadel.settings.now;
    expect(policies.get('login')?.['forceMfa'] ?? false).toBe(false);
    expect(policies.get('login 350000000000000002')).toMatchObject({
      forceMfa: true,
      passwordCheckLifetime: '864000s',
    });
    expect(result.notes.join()).toContain('by organisation, not by role');
  });

  it('--dry-run and --check change nothing; --check exits 1 on drift and names it', async () => {
    ground = await openSetupGround();
    const empty = shapeOf(ground.zitadel);
    const dry = await ground.run(setup('--dry-run'));
    expect([dry.code, dry.result.done, dry.result.planned.length > 30]).toEqual([0, [], true]);
    expect(dry.result.next).toContain('--out FILE');
    const check = await ground.run(setup('--check'));
    expect([check.code, check.result.ok]).toEqual([1, false]);
    expect(shapeOf(ground.zitadel)).toEqual(empty);
    await ground.run(toFile());
    expect((await ground.run(setup('--check'))).code).toBe(0);
    const [smtp] = ground.zitadel.settings.now.email;
    smtp!.value = { ...smtp!.value, smtp: { host: 'elsewhere:25', senderAddress: 'noreply@example.org' } };
    const drifted = await ground.run(setup('--check'));
    expect(drifted.code).toBe(1);
    expect(drifted.result.planned).toEqual([
      {
        action: 'change',
        what: 'mail server smtp.example.org:587',
        why: expect.stringContaining('host') as unknown,
      },
    ]);
    const mended = await ground.run(toFile());
    expect(mended.result.done.map(({ what }) => what)).toEqual(['mail server smtp.example.org:587']);
    expect(ground.zitadel.settings.now.email).toHaveLength(1);
  });

  it('lists all variables that the file refers to and that are missing, and does nothing', async () => {
    ground = await openSetupGround();
    const { code, result } = await ground.run(toFile(), { SMTP_PASSWORD: '', AZURE_SECRET: '' });
    expect(code).toBe(1);
    expect(result.error).toContain('SMTP_PASSWORD, AZURE_SECRET');
    expect(ground.zitadel.organizations.all.size).toBe(0);
  });

  it('refuses a secret that stands in the file', async () => {
    ground = await openSetupGround();
    ground.write('setup.json', { ...WANTED, smtp: { ...WANTED.smtp, password: 'plain-text-pass' } });
    const { code, result, stderr } = await ground.run(toFile());
    expect(code).toBe(1);
    expect(result.error).toContain('{ "env": "NAME" }');
    expect(stderr).not.toContain('plain-text-pass');
  });

  it('refuses to make secrets without --out, before anything is made', async () => {
    ground = await openSetupGround();
    const { code, result } = await ground.run(setup());
    expect([code, ground.zitadel.organizations.all.size]).toEqual([1, 0]);
    expect(result.error).toContain('--out FILE');
  });

  it('writes the manifest of a Secret that keeps what else is in it', async () => {
    ground = await openSetupGround();
    const manifest =
      'apiVersion: v1\nkind: Secret\nmetadata:\n  name: mine # a name\n  namespace: auth\nstringData:\n  OTHER: kept\n';
    ground.write('secret.yaml', manifest);
    const args = setup('--out', ground.file('secret.yaml'));
    expect((await ground.run(args)).code).toBe(0);
    const text = ground.read('secret.yaml');
    const { stringData, metadata } = z
      .looseObject({ metadata: z.looseObject({}), stringData: z.record(z.string(), z.string()) })
      .parse(parse(text));
    expect(stringData).toMatchObject({ OTHER: 'kept', ZITADEL_CLIENT_SECRET: expect.any(String) as unknown });
    expect(metadata).toMatchObject({ name: 'mine', namespace: 'auth' });
    expect(text).toContain('# a name');
    expect((await ground.run(args)).result.changed).toBe(0);
    expect(ground.read('secret.yaml')).toBe(text);
  });

  it('keeps what --out holds, says what it could not check, and makes nothing anew unasked', async () => {
    let calls = 0;
    ground = await openSetupGround({ intercept: () => void (calls += 1) });
    await ground.run(toFile());
    const elsewhere = await ground.run(setup('--out', ground.file('other.env')));
    expect([elsewhere.code, elsewhere.result.changed]).toEqual([0, 0]);
    for (const name of ['ZITADEL_CLIENT_SECRET', 'ZITADEL_OAUTH_CLIENT_SECRET', 'ZITADEL_SERVICE_TOKEN'])
      expect(elsewhere.result.unchecked.join('\n')).toContain(`--renew ${name}`);
    const before = variables(ground.read('out.env'));
    calls = 0;
    const asked = ['--renew', 'ZITADEL_CLIENT_SECRET', '--write-secrets'];
    const renewed = await ground.run([...toFile(), ...asked]);
    expect(renewed.result.done.map(({ what }) => what).sort()).toEqual(
      [
        'Google',
        'Azure AD Microsoft',
        'client secret of auth-gateway',
        'mail server smtp.example.org:587',
      ].sort(),
    );
    // One survey before and one after: what is done once is not to do any more.
    expect(calls).toBeLessThanOrEqual(50);
    const after = variables(ground.read('out.env'));
    expect(after['ZITADEL_CLIENT_SECRET']).not.toBe(before['ZITADEL_CLIENT_SECRET']);
    expect({ ...after, ZITADEL_CLIENT_SECRET: '' }).toEqual({ ...before, ZITADEL_CLIENT_SECRET: '' });
  });

  it('adds its target beside those that an event already has, and those of the group that it would hide', async () => {
    ground = await openSetupGround();
    const { now } = ground.zitadel.settings;
    now.targets.push({
      id: '1',
      value: { name: 'audit', endpoint: 'https://audit.example.org', timeout: '5s', restAsync: {} },
    });
    now.executions.push({ condition: { event: { event: 'user.locked' } }, targets: ['1'] });
    now.executions.push({ condition: { event: { group: 'user' } }, targets: ['1'] });
    expect((await ground.run(toFile())).code).toBe(0);
    const targetsOf = (event: string) =>
      now.executions.find(
        ({ condition }) => JSON.stringify(condition) === JSON.stringify({ event: { event } }),
      )?.targets;
    expect(targetsOf('user.locked')).toHaveLength(2);
    expect(targetsOf('user.removed')).toContain('1');
    expect(targetsOf('org.removed')).not.toContain('1');
    expect((await ground.run(toFile())).result.changed).toBe(0);
  });
});
