import * as z from 'zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { sallyport } from '../support/sallyport.ts';

let zitadel: Zitadel;
/** Called with every request that is not forwarded by a test; what it returns is the answer. */
let onRequest: (request: Request) => Promise<Response | undefined>;
const FORWARDED = 'x-test-forwarded';
beforeEach(async () => {
  onRequest = () => Promise.resolve(undefined);
  zitadel = await startZitadel({
    intercept: async (request) => (request.headers.has(FORWARDED) ? undefined : onRequest(request)),
  });
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
    next: 'the same without --dry-run',
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

describe('a release that cannot change a user by PATCH', () => {
  const NewName = z.object({ username: z.string().optional(), email: z.looseObject({}).optional() });
  const OldName = z.object({ userName: z.string() });
  let sent: string[];

  /** Carries out what older releases have, by what the stand-in has. */
  const carryOut = (id: string, body: object): Promise<Response> =>
    fetch(`${zitadel.url}/v2/users/${id}`, {
      method: 'PATCH',
      headers: {
        ...{ authorization: `Bearer ${zitadel.token}`, 'content-type': 'application/json' },
        [FORWARDED]: '1',
      },
      body: JSON.stringify(body),
    });

  beforeEach(() => {
    sent = [];
    onRequest = async (request) => {
      const { pathname } = new URL(request.url);
      if (request.method === 'PATCH')
        return Response.json({ code: 12, message: 'Method Not Allowed' }, { status: 501 });
      if (request.method !== 'PUT') return undefined;
      sent.push(pathname.replaceAll(/\d{6,}/g, 'ID'));
      const id = /\/(\d{6,})/.exec(pathname)?.[1] ?? '';
      const body: unknown = await request.json();
      if (pathname.startsWith('/management/'))
        return carryOut(id, { username: OldName.parse(body).userName, machine: {} });
      const { username, email } = NewName.parse(body);
      return carryOut(id, { username, human: { email } });
    };
  });

  it('renames people with their e-mail in one call of the former kind', async () => {
    const id = await human('alice', 'alice@example.org');
    const args = ['alice', 'carol', '--email', 'carol@example.org', '--verified', '--yes'];
    const { code, stdout, stderr } = await rename(...args);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ from: 'alice', to: 'carol', done: 'renamed' });
    expect(sent).toEqual(['/v2/users/human/ID']);
    expect(await call(`/v2/users/${id}`)).toMatchObject({
      user: { username: 'carol', human: { email: { email: 'carol@example.org', isVerified: true } } },
    });
  });

  it('renames machines by the management API', async () => {
    const made = (await call('/v2/users/new', {
      username: 'robot',
      machine: { name: 'robot' },
    })) as { id: string };
    expect((await rename('robot', 'android', '--yes')).code).toBe(0);
    expect(sent).toEqual(['/management/v1/users/ID/username']);
    expect(await nameOf(made.id)).toBe('android');
  });
});

it('run again after its answer was lost, finds the user by the new name and says that it is done', async () => {
  const id = await human('alice', 'alice@example.org');
  expect((await rename('alice', 'carol', '--yes')).code).toBe(0);
  const { code, stdout, stderr } = await rename('alice', 'carol', '--yes');
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ id, from: 'alice', to: 'carol', done: 'is renamed already' });
  expect((await rename('bob', 'carol', '--yes')).code).toBe(1);
});
