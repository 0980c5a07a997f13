// Long because a rotation needs an instance with accounts, tokens and a way to stop it between two writes.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import * as z from 'zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openZitadelApi } from '../../shared/adapters/zitadel/api.ts';
import { finishRotations } from '../../shared/service-tokens/finish.ts';
import { FULL } from '../support/scale.ts';
import { sallyport, spawnSallyport, type Variables } from '../support/sallyport.ts';

const DAY_MS = 86_400_000;
const FORWARDED = 'x-test-forwarded';

const Listed = z.object({
  tokens: z.array(
    z.looseObject({
      id: z.string(),
      kind: z.string(),
      username: z.string(),
      age_days: z.number(),
      in_use: z.boolean().nullable(),
      rights: z.array(z.string()),
      replaced_by: z.string().nullable(),
    }),
  ),
});
const Rotation = z.object({
  rotated: z.array(z.object({ id: z.string(), new: z.string(), username: z.string(), variable: z.string() })),
  left: z.array(z.object({ id: z.string(), why: z.string() })),
  cut_off: z.array(z.object({ outcome: z.string() })),
});
const Finished = z.object({
  removed: z.array(z.object({ id: z.string() })),
  kept: z.array(z.object({ id: z.string(), why: z.string() })),
});
const Made = z.object({ token: z.string(), tokenId: z.string() });

let folder: string;
let zitadel: Zitadel;
let operator: z.output<typeof Made>;
let gateway: z.output<typeof Made>;
let login: z.output<typeof Made>;
let now = Date.now();
/** Called with every request that no test sends; what it returns is the answer. */
let onRequest: (request: Request) => Promise<Response | undefined>;
/** Called with every request that writes, before it is carried out; what it returns is the answer. */
let onWrite: (carryOut: () => Promise<Response>) => Promise<Response | undefined>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tokens-'));
  now = Date.now() - 100 * DAY_MS;
  onWrite = () => Promise.resolve(undefined);
  onRequest = () => Promise.resolve(undefined);
  zitadel = await startZitadel({ clock: { now: () => now }, intercept });
  operator = await account('operator', 'IAM_OWNER');
  gateway = await account('gateway');
  login = await account('login-client', 'IAM_LOGIN_CLIENT');
  await call('POST', '/v2/users/gateway/keys', { expirationDate: inDays(400) });
  now = Date.now();
});

afterEach(async () => {
  await zitadel.close();
  rmSync(folder, { recursive: true });
});

async function intercept(request: Request): Promise<Response | undefined> {
  const { pathname } = new URL(request.url);
  if (!request.headers.has(FORWARDED)) {
    const old = await onRequest(request);
    if (old !== undefined) return old;
  }
  const writes = request.method !== 'GET' && /\/(?:pats|keys|metadata)(?:\/\d+)?$/.test(pathname);
  if (!writes || request.headers.has(FORWARDED)) return undefined;
  const body = await request.clone().text();
  const headers = new Headers(request.headers);
  headers.set(FORWARDED, '1');
  const { method } = request;
  return onWrite(() => fetch(request.url, { method, headers, ...(body !== '' && { body }) }));
}

function inDays(days: number): string {
  return new Date(now + days * DAY_MS).toISOString();
}

function call(method: string, path: string, body?: object, token = zitadel.token): Promise<Response> {
  return fetch(zitadel.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', [FORWARDED]: '1' },
    ...(body && { body: JSON.stringify(body) }),
  });
}

/** A service account with a token of 100 days. */
async function account(id: string, role?: string): Promise<z.output<typeof Made>> {
  zitadel.users.createMachine({ id, userName: id });
  const member = { userType: 'TYPE_MACHINE', userResourceOwner: '', preferredLoginName: id };
  if (role !== undefined) zitadel.settings.now.members.push({ userId: id, roles: [role], ...member });
  const answer = await call('POST', `/v2/users/${id}/pats`, { expirationDate: inDays(400) });
  return Made.parse(await answer.json());
}

function variables(more: Variables = {}): Variables {
  return {
    ZITADEL_API_URL: zitadel.url,
    ZITADEL_SERVICE_TOKEN: operator.token,
    ZITADEL_CLIENT_ID: 'api',
    ZITADEL_CLIENT_SECRET: 'secret',
    BACKUP_DIR: join(folder, 'backups'),
    ...more,
  };
}

const tokens = (args: readonly string[], more?: Variables) =>
  sallyport(variables(more), 'zitadel', 'tokens', ...args);

const out = (): string => join(folder, 'tokens.env');

function kept(): Record<string, string> {
  const lines = readFileSync(out(), 'utf8')
    .split('\n')
    .filter((line) => /^\w+=/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

async function rotated(args: readonly string[] = [], more?: Variables) {
  const { stdout, stderr, code } = await tokens(['rotate', '--out', out(), '--yes', '--json', ...args], more);
  expect(code, stderr).toBe(0);
  return Rotation.parse(JSON.parse(stdout));
}

async function finished(args: readonly string[] = [], more?: Variables) {
  const { stdout, stderr, code } = await tokens(['rotate', '--finish', '--yes', '--json', ...args], more);
  expect(code, stderr).toBe(0);
  return Finished.parse(JSON.parse(stdout));
}

async function works(token: string): Promise<boolean> {
  return (await call('GET', '/auth/v1/users/me', undefined, token)).status === 200;
}

/** Tokens and keys at Zitadel, by account. */
async function there(user: string): Promise<{ readonly pats: string[]; readonly keys: string[] }> {
  const ids = async (kind: string): Promise<string[]> => {
    const filters = [{ userIdFilter: { id: user } }];
    const answer = await call('POST', `/v2/users/${kind}/search`, { filters });
    const shape = z.object({ result: z.array(z.object({ id: z.string() })).default([]) });
    return shape.parse(await answer.json()).result.map(({ id }) => id);
  };
  return { pats: await ids('pats'), keys: await ids('keys') };
}

/** What the management API makes of a call, by what the stand-in has. */
async function asBefore({
  method,
  user,
  kind,
  rest,
  body,
}: Readonly<Record<'method' | 'user' | 'kind' | 'rest', string>> & { readonly body: unknown }) {
  const key = rest.slice(1);
  if (rest === '/_search') {
    const answer = await call('POST', `/v2/users/${kind}/search`, {
      filters: [{ userIdFilter: { id: user } }],
    });
    const { result } = Results.parse(await answer.json());
    return Response.json({
      result: result.map(({ id, creationDate, expirationDate }) => ({
        ...{ id, expirationDate, details: { creationDate } },
      })),
    });
  }
  if (kind === 'metadata' && method === 'DELETE')
    return call('DELETE', `/v2/users/${user}/metadata?keys=${key}`);
  if (kind === 'metadata')
    return call('POST', `/v2/users/${user}/metadata`, {
      metadata: [{ key, value: z.object({ value: z.string() }).parse(body).value }],
    });
  const answer = await call(method, `/v2/users/${user}/${kind}${rest}`, Object(body) as object);
  if (kind === 'pats' || method === 'DELETE') return answer;
  const { keyId, keyContent } = z
    .object({ keyId: z.string(), keyContent: z.string() })
    .parse(await answer.json());
  return Response.json({ keyId, keyDetails: keyContent });
}

const Results = z.object({
  result: z
    .array(z.object({ id: z.string(), creationDate: z.string(), expirationDate: z.string() }))
    .default([]),
});

describe('sallyport zitadel tokens', () => {
  it('lists tokens and keys with age, expiry and rights, and which one is in use', async () => {
    const { stdout, code } = await tokens(['list', '--json']);
    expect(code).toBe(0);
    const listed = Listed.parse(JSON.parse(stdout)).tokens;
    expect(listed.map(({ kind, username, in_use }) => [kind, username, in_use])).toEqual([
      ['pat', 'operator', true],
      ['pat', 'gateway', false],
      ['key', 'gateway', false],
      ['pat', 'login-client', false],
    ]);
    expect(listed[0]?.rights).toEqual(['IAM_OWNER']);
    expect(listed.map(({ age_days }) => age_days)).toEqual([100, 100, 100, 100]);
    expect(stdout).not.toContain(gateway.token);
  });

  it('rotates what is old into a file for its owner alone, leaves what is in use, and removes the old after the grace', async () => {
    const result = await rotated();
    expect(result.rotated.map(({ id, variable }) => [id, variable])).toEqual([
      [gateway.tokenId, 'ZITADEL_PAT_GATEWAY'],
      [expect.any(String), 'ZITADEL_KEY_GATEWAY'],
    ]);
    expect(result.left.map(({ id, why }) => [id, why])).toEqual([
      [operator.tokenId, expect.stringContaining('is the token in use')],
      [login.tokenId, expect.stringContaining('login client')],
    ]);
    expect(statSync(out()).mode & 0o777).toBe(0o600);
    const { ZITADEL_PAT_GATEWAY: made = '', ZITADEL_KEY_GATEWAY: key = '' } = kept();
    expect([await works(made), await works(gateway.token)]).toEqual([true, true]);
    expect(JSON.parse(key)).toMatchObject({ type: 'serviceaccount', userId: 'gateway' });

    expect(await rotated()).toMatchObject({ rotated: [] });
    expect((await finished()).kept.map(({ why }) => why)).toEqual([
      expect.stringMatching(/^waits until /),
      expect.stringMatching(/^waits until /),
    ]);
    expect((await finished(['--grace', '0d'])).removed.map(({ id }) => id)).toContain(gateway.tokenId);
    expect([await works(made), await works(gateway.token)]).toEqual([true, false]);
    expect(await there('gateway')).toMatchObject({ pats: [expect.any(String)], keys: [expect.any(String)] });
    expect(await finished()).toEqual({ removed: [], kept: [] });
  });

  it('changes nothing without --out, without confirmation, with --dry-run, without the right, or where nothing can be written', async () => {
    const before = await there('gateway');
    expect((await tokens(['rotate', '--yes'])).code).toBe(2);
    const unconfirmed = await tokens(['rotate', '--out', out()]);
    expect([unconfirmed.code, unconfirmed.stderr]).toEqual([1, expect.stringContaining('Add --yes')]);
    const dry = await tokens(['rotate', '--dry-run', '--json']);
    expect(JSON.parse(dry.stdout)).toMatchObject({ due: [{ id: gateway.tokenId }, { kind: 'key' }] });
    const viewer = await account('viewer', 'IAM_OWNER_VIEWER');
    const refused = await tokens(['rotate', '--out', out(), '--yes'], {
      ZITADEL_SERVICE_TOKEN: viewer.token,
    });
    expect(refused.code).toBe(1);
    const unwritable = await tokens(['rotate', '--out', join(folder, 'none', 'x.env'), '--yes']);
    expect([unwritable.code, unwritable.stderr]).toEqual([1, expect.stringContaining('cannot write')]);
    expect(refused.stderr).toContain('lacks the right user.write');
    expect(await there('gateway')).toEqual(before);
  });

  it('takes an account for the login client by its name too, as some guides make it an owner', async () => {
    zitadel.settings.now.members.splice(1, 1, {
      ...{ userId: 'login-client', roles: ['IAM_OWNER'], userType: 'TYPE_MACHINE' },
      ...{ userResourceOwner: '', preferredLoginName: 'login-client' },
    });
    const { left } = await rotated();
    expect(left.find(({ id }) => id === login.tokenId)?.why).toContain('login client');
  });

  it('with --include-self replaces the token in use, and removes it only when another one is in use', async () => {
    writeFileSync(out(), `LOG_LEVEL=info\nZITADEL_SERVICE_TOKEN=${operator.token}\n`);
    const result = await rotated(['--include-self']);
    expect(readFileSync(out(), 'utf8')).toContain('LOG_LEVEL=info');
    expect(result.rotated.map(({ variable }) => variable)).toEqual([
      'ZITADEL_SERVICE_TOKEN',
      'ZITADEL_PAT_GATEWAY',
      'ZITADEL_KEY_GATEWAY',
      'LOGIN_CLIENT_PAT',
    ]);
    const early = await finished(['--grace', '0d', '--include-self']);
    expect(early.kept.map(({ id, why }) => [id, why])).toEqual([
      [operator.tokenId, expect.stringContaining('is the token in use')],
    ]);
    const { ZITADEL_SERVICE_TOKEN: own = '' } = kept();
    const late = await finished(['--grace', '0d'], { ZITADEL_SERVICE_TOKEN: own });
    expect(late.removed.map(({ id }) => id)).toEqual([operator.tokenId]);
    expect(await works(operator.token)).toBe(false);
  });

  it('leaves the old ones to the job as well, but those of the account in use and of the login client', async () => {
    const result = await rotated(['--include-self', '--grace', '0d']);
    const api = openZitadelApi({ url: zitadel.url, token: operator.token }, undiciExchange);
    const old = result.rotated.filter(({ username }) => username === 'gateway').map(({ id }) => id);
    expect(await finishRotations(api, new Date(0), false)).toEqual({ removed: [], stopped: null });
    expect(await finishRotations(api, new Date(), true)).toEqual({ removed: old, stopped: null });
    expect(await works(gateway.token)).toBe(true);
    expect(await finishRotations(api, new Date(), false)).toEqual({ removed: old, stopped: null });
    expect([await works(gateway.token), await works(login.token)]).toEqual([false, true]);
    expect((await finished()).kept.map(({ id }) => id)).toEqual([operator.tokenId, login.tokenId]);
  });

  it('rotates and finishes by the management API where a release has no calls of its own for tokens', async () => {
    const sent = new Set<string>();
    onRequest = async (request) => {
      const { pathname } = new URL(request.url);
      const body =
        request.method === 'DELETE'
          ? undefined
          : await request
              .clone()
              .json()
              .catch(() => ({}));
      const isNew = /^\/v2\/users\/(?:(?:pats|keys)\/search|[^/]+\/(?:pats|keys|metadata))/.test(pathname);
      if (isNew || pathname.endsWith('/ListAdministrators'))
        return Response.json({ code: 5, message: 'Not Found' }, { status: 404 });
      const [, user = '', kind = '', rest = ''] =
        /^\/management\/v1\/users\/([^/]+)\/(pats|keys|metadata)(\/.*)?$/.exec(pathname) ?? [];
      if (user === '') return undefined;
      sent.add(`${request.method} ${kind} ${rest.replace(/\d{6,}/, 'ID')}`);
      return asBefore({ method: request.method, user, kind, rest, body });
    };
    const { rotated: made } = await rotated();
    expect(made.map(({ variable }) => variable)).toEqual(['ZITADEL_PAT_GATEWAY', 'ZITADEL_KEY_GATEWAY']);
    expect(await works(kept()['ZITADEL_PAT_GATEWAY'] ?? '')).toBe(true);
    expect((await finished(['--grace', '0d'])).removed.map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    expect([...sent].sort()).toEqual([
      'DELETE keys /ID',
      'DELETE metadata /sallyport.rotations',
      'DELETE pats /ID',
      'POST keys ',
      'POST keys /_search',
      'POST metadata /sallyport.rotations',
      'POST pats ',
      'POST pats /_search',
    ]);
  });

  it('without a client that may ask leaves out every token of its own account', async () => {
    const second = Made.parse(
      await (await call('POST', '/v2/users/operator/pats', { expirationDate: inDays(30) })).json(),
    );
    const { left } = await rotated(['--older-than', '0d'], { ZITADEL_CLIENT_ID: '' });
    const own = left.filter(({ id }) => [operator.tokenId, second.tokenId].includes(id));
    expect(own.map(({ why }) => why)).toEqual([
      expect.stringContaining('may be the token in use'),
      expect.stringContaining('may be the token in use'),
    ]);
  });

  it('refuses a second rotation while one is under way', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const arrived = new Promise<void>((resolve) => {
      onWrite = async () => {
        resolve();
        await held;
        return undefined;
      };
    });
    const first = tokens(['rotate', '--out', out(), '--yes']);
    // A first one that fails never arrives.
    await Promise.race([arrived, first]);
    const second = await tokens(['rotate', '--out', out(), '--yes']);
    release();
    expect([second.code, second.stderr]).toEqual([
      1,
      expect.stringContaining('another rotation is under way'),
    ]);
    expect((await first).code).toBe(0);
  });

  // Of a token: its record begun, itself, its record done. Then those of a key.
  const MOMENTS = [0, 1, 2, 3, 4, 5].flatMap((write) => [
    [write, 'before'] as const,
    [write, 'after'] as const,
  ]);
  const SOME = FULL
    ? MOMENTS
    : MOMENTS.filter(
        ([write, when]) => (write === 1 && when === 'after') || (write === 4 && when === 'before'),
      );

  it.each(SOME)(
    'killed at write %i, %s it is carried out, goes on without a lost or a left-over token',
    async (at, when) => {
      let writes = 0;
      onWrite = async (carryOut) => {
        if (writes++ !== at) return undefined;
        if (when === 'after') await carryOut();
        child.kill('SIGKILL');
        return new Response('', { status: 503 });
      };
      const child = spawnSallyport(variables(), 'zitadel', 'tokens', 'rotate', '--out', out(), '--yes');
      await once(child, 'close');
      expect(child.signalCode).toBe('SIGKILL');
      onWrite = () => Promise.resolve(undefined);
      await rotated();
      const { pats, keys } = await there('gateway');
      expect([pats.length, keys.length]).toEqual([2, 2]);
      const { ZITADEL_PAT_GATEWAY: made = '', ZITADEL_KEY_GATEWAY: key = '' } = kept();
      expect(await works(made)).toBe(true);
      expect(keys).toContain(z.object({ keyId: z.string() }).parse(JSON.parse(key)).keyId);
      await finished(['--grace', '0d']);
      expect([await works(made), await works(gateway.token)]).toEqual([true, false]);
      expect(await there('gateway')).toMatchObject({
        pats: [expect.any(String)],
        keys: [expect.any(String)],
      });
    },
  );
});
