import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openSetupGround, SECRETS, type SetupGround } from './setup-ground.ts';

const opened: SetupGround[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

async function open(...args: Parameters<typeof openSetupGround>): Promise<SetupGround> {
  const ground = await openSetupGround(...args);
  opened.push(ground);
  return ground;
}

/** Every file of a folder, by its path. */
function filesIn(folder: string): Readonly<Record<string, string>> {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return Object.fromEntries(
    found
      .map((each) => join(each.parentPath, each.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  );
}

const IDP_SECRETS = {
  ZITADEL_IDP_GOOGLE_SECRET: 'google-sec-91bc',
  ZITADEL_IDP_MICROSOFT_SECRET: 'azure-sec-55de',
  ZITADEL_SMTP_PASSWORD: 'smtp-pass-7f3a',
};

/** An instance with something of every kind, set up and changed by hand. */
async function furnished(): Promise<SetupGround> {
  const ground = await open();
  await ground.run(['setup', '--file', ground.file('setup.json'), '--out', ground.file('out.env')]);
  const [[id]] = [...ground.zitadel.organizations.all] as [[string, string]];
  const call = async (
    method: string,
    path: string,
    body: unknown,
    organization = id,
  ): Promise<Readonly<Record<string, unknown>>> => {
    const answer = await fetch(ground.zitadel.url + path, {
      method,
      headers: {
        ...{ authorization: `Bearer ${ground.zitadel.token}`, 'content-type': 'application/json' },
        'x-zitadel-orgid': organization,
      },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return z.looseObject({}).parse(await answer.json());
  };
  await call('PUT', '/admin/v1/policies/label', { primaryColor: '#112233', hideLoginNameSuffix: true });
  await call('PUT', '/admin/v1/policies/password/lockout', { maxPasswordAttempts: '7' });
  await call('DELETE', '/admin/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_U2F', undefined);
  await call('POST', '/management/v1/policies/password/complexity', { minLength: '12' });
  await call('POST', `/admin/v1/orgs/${id}/policies/domain`, { userLoginMustBeDomain: true });
  await call('PUT', '/admin/v1/text/message/init/en', { subject: 'Welcome', text: 'Hello {{.DisplayName}}' });
  await call('PUT', '/management/v1/text/login/de', { loginText: { title: 'Willkommen' } });
  await call('POST', '/management/v1/orgs/me/domains', { domain: 'example.com' });
  const script = `function greet(ctx, api) {\n  api.setUserName('${ground.zitadel.url}');\n}\n`;
  const { id: action } = await call('POST', '/management/v1/actions', {
    name: 'greet',
    script,
    timeout: '10s',
  });
  await call('POST', '/management/v1/flows/3/trigger/3', { actionIds: [action] });
  const project = await call('POST', '/management/v1/projects', { name: 'ZITADEL' }, '350000000000000002');
  await call('POST', `/management/v1/projects/${String(project['id'])}/roles`, { roleKey: 'own' });
  return ground;
}

describe('zitadel config', () => {
  it('export holds everything, without ids, secrets and its own host, and without the project ZITADEL', async () => {
    const ground = await furnished();
    const folder = ground.file('exported');
    expect((await ground.run(['config', 'export', folder])).code).toBe(0);
    const files = filesIn(folder);
    expect(Object.keys(files)).toEqual(
      [
        'instance.json',
        'organizations/Example/actions/greet.js',
        'organizations/Example/actions.json',
        'organizations/Example/organization.json',
        'organizations/Example/projects/Auth Gateway API.json',
        'organizations/Example/texts/login/de.json',
        'organizations/stand-in/organization.json',
        'texts/message/init/en.json',
      ].sort(),
    );
    const all = Object.values(files).join('\n');
    expect(all).not.toMatch(/\d{15,}/);
    expect(all).not.toContain(ground.zitadel.url);
    expect(files['organizations/Example/actions/greet.js']).toContain('{{ZITADEL}}');
    for (const secret of [
      ...Object.values(SECRETS),
      ...ground.zitadel.settings.now.targets.map(({ value }) => String(value['signingKey'])),
    ])
      expect(all).not.toContain(secret);
    const again = ground.file('again');
    await ground.run(['config', 'export', again]);
    expect(filesIn(again)).toEqual(files);
  });

  it('export of the imported equals the first export, and a second import changes nothing', async () => {
    const ground = await furnished();
    const folder = ground.file('exported');
    await ground.run(['config', 'export', folder]);
    const other = await open();
    const imported = await other.run(
      ['config', 'import', folder, '--out', other.file('clients.env')],
      IDP_SECRETS,
    );
    expect([imported.code, imported.result.error]).toEqual([0, undefined]);
    const copy = other.file('copy');
    await other.run(['config', 'export', copy]);
    expect(filesIn(copy)).toEqual(filesIn(folder));
    const second = await other.run(
      ['config', 'import', folder, '--out', other.file('clients.env')],
      IDP_SECRETS,
    );
    expect([second.code, second.result.done]).toEqual([0, []]);
    expect(other.zitadel.settings.now.email).toHaveLength(1);
    expect(other.zitadel.settings.now.idps).toHaveLength(2);
  });

  it('import lists the ids mapped and what is not carried, and writes new client secrets to --out alone', async () => {
    const ground = await furnished();
    const folder = ground.file('exported');
    await ground.run(['config', 'export', folder]);
    const other = await open();
    const { stdout, stderr } = await other.run(
      ['config', 'import', folder, '--out', other.file('clients.env')],
      IDP_SECRETS,
    );
    const result = z
      .object({ ids: z.record(z.string(), z.string()), not_carried: z.array(z.string()) })
      .parse(JSON.parse(stdout));
    expect(result.ids).toMatchObject({
      'organisation Example': [...other.zitadel.organizations.all.keys()][0],
    });
    expect(result.not_carried.join()).toContain('passwords');
    const out = other.read('clients.env');
    const secret = /EXAMPLE_AUTH_GATEWAY_API_AUTH_GATEWAY_CLIENT_SECRET=(\S+)/.exec(out)?.[1];
    expect(secret).toMatch(/^\S{20,}$/);
    for (const each of [secret!, ...Object.values(IDP_SECRETS)]) expect(stdout + stderr).not.toContain(each);
  });

  it('import without the secrets of providers makes those entries inactive, and lists them', async () => {
    const ground = await furnished();
    const folder = ground.file('exported');
    await ground.run(['config', 'export', folder]);
    const other = await open();
    const { code, result } = await other.run(['config', 'import', folder]);
    expect(code).toBe(0);
    const { now } = other.zitadel.settings;
    expect(now.email.map(({ value }) => value['state'])).toEqual(['EMAIL_PROVIDER_INACTIVE']);
    expect(now.policies.get('login')?.['idps'] ?? []).toEqual([]);
    for (const name of ['ZITADEL_IDP_GOOGLE_SECRET', 'ZITADEL_IDP_MICROSOFT_SECRET', 'ZITADEL_SMTP_PASSWORD'])
      expect(result.notes.join('\n')).toContain(name);
    const again = await other.run(['config', 'import', folder, '--out', other.file('late.env')]);
    expect(again.result.done).toEqual([]);
    expect(again.result.notes.join('\n')).toContain('auth-gateway is not in');
    const mended = await other.run(['config', 'import', folder], IDP_SECRETS);
    expect(mended.code).toBe(0);
    expect(now.email.map(({ value }) => value['state'])).toEqual(['EMAIL_PROVIDER_ACTIVE']);
    const copy = other.file('copy');
    await other.run(['config', 'export', copy]);
    expect(filesIn(copy)).toEqual(filesIn(folder));
  });

  it('import --dry-run shows the diff and changes nothing', async () => {
    const ground = await furnished();
    const folder = ground.file('exported');
    await ground.run(['config', 'export', folder]);
    const other = await open();
    const { code, result } = await other.run(['config', 'import', folder, '--dry-run']);
    expect([code, other.zitadel.organizations.all.size]).toEqual([0, 0]);
    expect(result.planned).toContainEqual({
      action: 'change',
      what: 'branding policy of the instance',
      why: expect.stringContaining('primaryColor') as unknown,
    });
    expect(result.planned.map(({ what }) => what)).toContain('project Example/Auth Gateway API');
  });

  it('import refuses a folder that is none of export, and a file that is broken, before anything is changed', async () => {
    const ground = await open();
    const none = await ground.run(['config', 'import', ground.file('nowhere')]);
    expect([none.code, none.result.error]).toEqual([1, expect.stringContaining('no instance.json')]);
    const folder = ground.file('exported');
    await ground.run(['config', 'export', folder]);
    ground.write('exported/instance.json', '{"login": 7}');
    const broken = await ground.run(['config', 'import', folder]);
    expect(broken.code).toBe(1);
    expect(broken.result.error).toContain('instance.json:1:2 login');
  });
});
