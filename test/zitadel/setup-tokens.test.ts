import { afterEach, describe, expect, it } from 'vitest';
import { openSetupGround, variables, type SetupGround } from './setup-ground.ts';

let ground: SetupGround;
afterEach(() => ground.close());

const toFile = (): readonly string[] => [
  ...['setup', '--file', ground.file('setup.json')],
  ...['--out', ground.file('out.env')],
];

describe('zitadel setup, of tokens', () => {
  it('makes a token anew that was removed, and no other', async () => {
    ground = await openSetupGround();
    await ground.run(toFile());
    const { pats } = ground.zitadel.settings.now;
    const before = variables(ground.read('out.env'));
    const [pat] = pats.filter(({ token }) => token === before['ZITADEL_SERVICE_TOKEN']);
    await fetch(`${ground.zitadel.url}/v2/users/${pat!.userId}/pats/${pat!.id}`, {
      ...{ method: 'DELETE', headers: { authorization: `Bearer ${ground.zitadel.token}` } },
    });
    const check = await ground.run([...toFile(), '--check']);
    expect([check.code, check.result.planned.map(({ why }) => why)]).toEqual([1, ['it was removed']]);
    await ground.run(toFile());
    const after = variables(ground.read('out.env'));
    expect(after['ZITADEL_SERVICE_TOKEN']).not.toBe(before['ZITADEL_SERVICE_TOKEN']);
    expect({ ...after, ZITADEL_SERVICE_TOKEN: '' }).toEqual({ ...before, ZITADEL_SERVICE_TOKEN: '' });
    expect(pats).toHaveLength(2);
  });

  it('refuses an --out that holds the token it runs with: that of the service account belongs there', async () => {
    ground = await openSetupGround();
    ground.write('out.env', `ZITADEL_SERVICE_TOKEN=${ground.zitadel.token}\n`);
    const { code, result } = await ground.run(toFile());
    expect([code, ground.zitadel.organizations.all.size]).toEqual([1, 0]);
    expect(result.error).toContain('holds the token that this command runs with');
  });

  it('takes neither rights nor the role from the account it runs with', async () => {
    ground = await openSetupGround();
    const { now } = ground.zitadel.settings;
    const { id } = ground.zitadel.users.createMachine({ userName: 'gateway-service' });
    const member = { userType: 'TYPE_MACHINE', userResourceOwner: '', preferredLoginName: 'gateway-service' };
    now.members.push({ userId: id, roles: ['IAM_OWNER'], ...member });
    now.pats.push({ id: '1', userId: id, created: '', expires: '2099-01-01T00:00:00Z', token: 'own-token' });
    const { code, result } = await ground.run(toFile(), { ZITADEL_SERVICE_TOKEN: 'own-token' });
    expect(code).toBe(1);
    expect(result.error).toContain('with a token of another administrator');
    expect(now.members.find(({ userId }) => userId === id)?.roles).toEqual(['IAM_OWNER']);
  });

  it('gives no rights over the instance to an account of another organisation, whose administrators make its tokens', async () => {
    ground = await openSetupGround();
    const { settings, users } = ground.zitadel;
    const { id } = users.createMachine({ userName: 'gateway-service', organization: 'tenant' });
    const refused = await ground.run(toFile());
    expect([refused.code, refused.result.error]).toEqual([1, expect.stringContaining('organisation tenant')]);
    expect(settings.now.members.some(({ userId }) => userId === id)).toBe(false);
    expect(settings.now.pats).toEqual([]);
  });

  it('says which right a viewer lacks, and changes nothing', async () => {
    ground = await openSetupGround();
    const { settings, users } = ground.zitadel;
    const { id } = users.createMachine({ userName: 'viewer' });
    const viewer = { userType: 'TYPE_MACHINE', userResourceOwner: '', preferredLoginName: 'viewer' };
    settings.now.members.push({ userId: id, roles: ['IAM_OWNER_VIEWER'], ...viewer });
    settings.now.pats.push({
      id: '1',
      userId: id,
      created: '',
      expires: '2099-01-01T00:00:00Z',
      token: 'viewer-token',
    });
    const { code, result } = await ground.run(toFile(), { ZITADEL_SERVICE_TOKEN: 'viewer-token' });
    expect(code).toBe(1);
    expect(result.error).toContain('lacks iam.write');
    expect(result.error).toContain('IAM_OWNER');
    expect(ground.zitadel.organizations.all.size).toBe(0);
    expect(
      (await ground.run([...toFile(), '--dry-run'], { ZITADEL_SERVICE_TOKEN: 'viewer-token' })).code,
    ).toBe(0);
  });

  it('names IAM_OWNER to the owner of an organisation, who may not even read the instance', async () => {
    ground = await openSetupGround({
      intercept: ({ url }) => {
        if (url.endsWith('/permissions/zitadel/me/_search'))
          return Response.json({ result: ['org.read', 'org.write', 'project.create', 'user.write'] });
        const denied = { code: 7, message: 'No matching permissions found (AUTH-5mWD2)' };
        return url.includes('/admin/v1/') ? Response.json(denied, { status: 403 }) : undefined;
      },
    });
    const { code, result } = await ground.run(toFile());
    expect([code, result.error]).toEqual([1, expect.stringContaining('needs the role IAM_OWNER')]);
    expect(result.error).toContain('lacks iam.write, iam.policy.write, iam.member.write, org.create');
  });

  it('says what is wrong with a token that is not accepted', async () => {
    ground = await openSetupGround();
    const { code, result, stderr } = await ground.run(toFile(), { ZITADEL_SERVICE_TOKEN: 'nothing-of-ours' });
    expect(code).toBe(1);
    expect(result.error).toContain('ZITADEL_SERVICE_TOKEN is not accepted');
    expect(stderr).not.toContain('nothing-of-ours');
  });
});
