import { afterEach, beforeEach, expect, it } from 'vitest';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { sallyport } from '../support/sallyport.ts';

let zitadel: Zitadel;
beforeEach(async () => {
  zitadel = await startZitadel();
});
afterEach(() => zitadel.close());

const rename = (...args: readonly string[]) =>
  sallyport(
    { ZITADEL_API_URL: zitadel.url, ZITADEL_SERVICE_TOKEN: zitadel.token },
    ...['zitadel', 'users', 'rename', ...args, '--json'],
  );

const call = async (path: string, body?: object): Promise<unknown> => {
  const response = await fetch(`${zitadel.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${zitadel.token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return response.json();
};

const human = async (username: string, email: string): Promise<string> => {
  const made = (await call('/v2/users/new', {
    username,
    human: { profile: { givenName: 'A', familyName: 'B' }, email: { email, isVerified: true } },
  })) as { id: string };
  return made.id;
};

const nameOf = async (id: string): Promise<string> =>
  ((await call(`/v2/users/${id}`)) as { user: { username: string } }).user.username;

it('changes name and e-mail, and shows the events that prove it', async () => {
  const id = await human('alice', 'alice@example.org');
  const { code, stdout } = await rename(
    'alice',
    'carol',
    '--email',
    'carol@example.org',
    '--verified',
    '--yes',
  );
  expect(code).toBe(0);
  const report = JSON.parse(stdout) as { events: { type: string; user_name?: string; email?: string }[] };
  expect(report).toMatchObject({ id, from: 'alice', to: 'carol', done: 'renamed', login_names: ['carol'] });
  expect(report.events.map(({ type, user_name, email }) => [type, user_name ?? email])).toEqual(
    expect.arrayContaining([
      ['user.username.changed', 'carol'],
      ['user.human.email.changed', 'carol@example.org'],
    ]),
  );
  expect(await nameOf(id)).toBe('carol');
});

it('changes nothing unconfirmed, nor with --dry-run', async () => {
  const id = await human('alice', 'alice@example.org');
  expect((await rename('alice', 'carol')).code).toBe(1);
  expect(JSON.parse((await rename(id, 'carol', '--dry-run')).stdout)).toMatchObject({
    done: 'would be renamed',
  });
  expect(await nameOf(id)).toBe('alice');
});

it('refuses a name that another user signs in by, in any case', async () => {
  const id = await human('alice', 'alice@example.org');
  const other = await human('carol', 'carol@example.org');
  const { code, stderr } = await rename('alice', 'CAROL', '--yes');
  expect(code).toBe(1);
  expect(stderr).toContain(`CAROL is the login name of ${other} already. Nothing was changed`);
  expect(await nameOf(id)).toBe('alice');
});

it('warns of whom it takes a way of signing in from', async () => {
  await human('alice', 'alice@example.org');
  const other = await human('carol', 'carol@example.org');
  const { stdout } = await rename('alice', 'carol@example.org', '--dry-run');
  expect((JSON.parse(stdout) as { warnings: string[] }).warnings.join()).toContain(
    `is an e-mail of ${other}`,
  );
});

it('renames a machine, and gives it no e-mail', async () => {
  const made = (await call('/v2/users/new', {
    username: 'robot',
    machine: { name: 'robot' },
  })) as { id: string };
  expect((await rename('robot', 'android', '--email', 'a@example.org', '--yes')).code).toBe(1);
  expect(await nameOf(made.id)).toBe('robot');
  expect((await rename('robot', 'android', '--yes')).code).toBe(0);
  expect(await nameOf(made.id)).toBe('android');
});

it('says who is not there, and that --verified needs an e-mail', async () => {
  expect((await rename('nobody', 'carol', '--yes')).stderr).toContain(
    'no user has the id, login name or e-mail nobody',
  );
  await human('alice', 'alice@example.org');
  expect((await rename('alice', 'carol', '--verified')).code).toBe(2);
});
