import * as z from 'zod';
import { instanceMembers, machines, ownUser } from '../../../shared/zitadel/accounts.ts';
import { Failure } from '../../failure.ts';
import { Refused, type ZitadelClient } from '../api/client.ts';
import { setInstanceMember } from '../api/instance.ts';
import { createMachine, createPat } from '../api/machines.ts';
import { ownOrganization } from '../api/organizations.ts';
import { clientFor, type Run } from './run.ts';

/** Where charts and manifests of Zitadel keep the token of Login v2. */
const SECRET = 'zitadel-login-client';
const KEY = 'pat';
const ROLE = 'IAM_LOGIN_CLIENT';
const LIFETIME_MS = 365 * 86_400_000;

const Secrets = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      data: z.record(z.string(), z.string()).default({}),
    }),
  ),
});

/**
 * The login client's token in the cluster: kept while the imported Zitadel takes it, else a new one is made and written. Without the
 * secret Login v2 signs in by a key pair, which no import touches.
 */
export async function secrets({ api, kubectl, journal }: Run): Promise<Readonly<Record<string, unknown>>> {
  if (kubectl === null || api === null) return {};
  const { items } = await kubectl.read(
    ['get', 'secrets', `--field-selector=metadata.name=${SECRET}`],
    Secrets,
  );
  const found = items.find(({ metadata }) => metadata.name === SECRET);
  if (found === undefined) return { says: `there is no secret ${SECRET}: Login v2 signs in by its key pair` };
  const { url, token } = api;
  const kept = Buffer.from(found.data[KEY] ?? '', 'base64')
    .toString('utf8')
    .trim();
  if (kept !== '' && (await isTaken(url, kept)))
    return { says: `${SECRET} is taken by the imported Zitadel: kept` };
  if (token === null)
    throw new Failure(
      `${SECRET} is refused by the imported Zitadel, and ZITADEL_SERVICE_TOKEN is not set, which a new one is made with`,
    );
  const made = await newToken(clientFor({ url, token }));
  const manifest = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: SECRET },
    type: 'Opaque',
    data: { [KEY]: Buffer.from(made.token).toString('base64') },
  };
  // On the server: it leaves other keys and labels as they are, and no copy of the token in an annotation.
  await kubectl.run(['apply', '--server-side', '--force-conflicts', '--filename=-'], {
    input: JSON.stringify(manifest),
  });
  journal.record('secrets', 'note', { secret: SECRET, user: made.user });
  return {
    says: `${SECRET} was refused by the imported Zitadel: a new token of ${made.user} is in it`,
    renewed: true,
  };
}

async function isTaken(url: string, token: string): Promise<boolean> {
  try {
    await ownUser(clientFor({ url, token }));
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return false;
    throw error;
  }
}

/** Of the account that has the role already; where there is none, of one that is made. */
async function newToken(client: ZitadelClient): Promise<{ readonly user: string; readonly token: string }> {
  const members = await instanceMembers(client);
  const accounts = await machines(client);
  const holders = new Set(members.filter(({ roles }) => roles.includes(ROLE)).map(({ userId }) => userId));
  const expires = new Date(Date.now() + LIFETIME_MS);
  const known = accounts.find(({ userId }) => holders.has(userId));
  if (known !== undefined) {
    const { token } = await createPat(
      client,
      { id: known.userId, organization: known.details.resourceOwner },
      expires,
    );
    return { user: known.username, token };
  }
  const { id: organization } = await ownOrganization(client);
  const named = accounts.find(({ username }) => username === 'login-client');
  const account = { userName: 'login-client', name: 'Login v2', description: 'The sign-in pages' };
  const id = named?.userId ?? (await createMachine(client, organization, account));
  await setInstanceMember(
    client,
    id,
    [ROLE],
    members.some(({ userId }) => userId === id),
  );
  const { token } = await createPat(
    client,
    { id, organization: named?.details.resourceOwner ?? organization },
    expires,
  );
  return { user: 'login-client', token };
}
