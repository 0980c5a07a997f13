import * as z from 'zod';
import { pause } from '../../../shared/ports/runtime.ts';
import { orAbsent } from '../../../shared/zitadel/reader.ts';
import { webRandom } from '../../../shared/runtime.ts';
import { Failure } from '../../failure.ts';
import { Nothing, type ZitadelClient } from '../api/client.ts';
import { ownOrganization } from '../api/organizations.ts';
import { clientFor, type Run } from './run.ts';

const Made = z.object({ id: z.string() });
const Session = z.object({ sessionId: z.string(), sessionToken: z.string() });
const Checked = z.object({
  session: z.object({
    factors: z
      .object({
        user: z.object({ id: z.string() }).optional(),
        password: z.object({ verifiedAt: z.string() }).optional(),
      })
      .default({}),
  }),
});

/** What was just written comes into Zitadel's projections a moment later; until then it answers 404, or without it. */
const SETTLE_MS = 15_000;
const LOOK_MS = 250;

/**
 * Signs a person in with a password, as Login v2 does, and removes that person again: nobody's own password is needed, and nobody is
 * left behind, also when the check fails. Throws Failure.
 */
export async function signIn({ api, journal, signal }: Run): Promise<Readonly<Record<string, unknown>>> {
  if (api?.token == null) return { says: 'skipped: ZITADEL_SERVICE_TOKEN is not set' };
  const { url, token } = api;
  const client = clientFor({ url, token });
  const { id: organization } = await ownOrganization(client);
  const username = `sallyport-import-${journal.run}`;
  await removeLeft(client, username);
  const random = webRandom();
  const password = `Aa1!${random.hex(16)}`;
  const userId = await create(client, { organization, username, password });
  try {
    await check(client, { userId, password, signal });
  } finally {
    await orAbsent(
      client.call(Nothing, { method: 'DELETE', path: `/v2/users/${userId}`, right: 'user.delete' }),
    );
  }
  return { says: `${username} signed in with its password, and was removed` };
}

/** Of a run that was cut off within this step. */
async function removeLeft(client: ZitadelClient, username: string): Promise<void> {
  const queries = [{ userNameQuery: { userName: username, method: 'TEXT_QUERY_METHOD_EQUALS' } }];
  const shape = z.object({
    result: z.array(z.object({ userId: z.string(), username: z.string() })).default([]),
  });
  const { result } = await client.call(shape, {
    method: 'POST',
    path: '/v2/users',
    body: { queries },
    right: 'user.read',
  });
  for (const each of result.filter(
    (user) => user.username === username || user.username.startsWith(`${username}@`),
  ))
    await orAbsent(
      client.call(Nothing, { method: 'DELETE', path: `/v2/users/${each.userId}`, right: 'user.delete' }),
    );
}

async function create(
  client: ZitadelClient,
  {
    organization,
    username,
    password,
  }: { readonly organization: string; readonly username: string; readonly password: string },
): Promise<string> {
  const human = {
    profile: { givenName: 'Import', familyName: 'Check' },
    email: { email: `${username}@example.org`, isVerified: true },
    password: { password, changeRequired: false },
  };
  const body = { organizationId: organization, username, human };
  const call = {
    method: 'POST',
    path: '/v2/users/new',
    body,
    secrets: [password],
    right: 'user.write',
  } as const;
  return (await client.call(Made, call)).id;
}

interface Checking {
  readonly userId: string;
  readonly password: string;
  readonly signal: AbortSignal;
}

async function check(client: ZitadelClient, { userId, password, signal }: Checking): Promise<void> {
  const body = { checks: { user: { userId }, password: { password } } };
  const call = {
    method: 'POST',
    path: '/v2/sessions',
    body,
    secrets: [password],
    right: 'session.write',
  } as const;
  const begun = await settled(signal, () => orAbsent(client.call(Session, call)));
  if (begun === undefined) throw new Failure('Zitadel does not find the person that it has just made');
  const { sessionId, sessionToken } = begun;
  const isSignedIn = await settled(signal, async () => {
    const path = `/v2/sessions/${sessionId}`;
    const found = await orAbsent(client.call(Checked, { method: 'GET', path, right: 'session.read' }));
    const { user, password: factor } = found?.session.factors ?? {};
    return user?.id === userId && factor !== undefined ? true : undefined;
  });
  if (isSignedIn !== true)
    throw new Failure('the session does not hold the person and the password that were checked');
  const end = {
    method: 'DELETE',
    path: `/v2/sessions/${sessionId}`,
    body: { sessionToken },
    right: 'session.delete',
  } as const;
  await orAbsent(client.call(Nothing, end));
}

/** What `look` returns as soon as it returns something; undefined when it does not in time. */
async function settled<T>(signal: AbortSignal, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const until = Date.now() + SETTLE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined || Date.now() > until) return found;
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}
