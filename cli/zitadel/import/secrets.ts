import * as z from 'zod';
import { instanceMembers, machines, ownUser } from '../../../shared/zitadel/accounts.ts';
import type { Kubectl } from '../../children/kubectl.ts';
import { Failure } from '../../failure.ts';
import { Refused, type ZitadelClient } from '../api/client.ts';
import { setInstanceMember } from '../api/instance.ts';
import { createMachine, createPat } from '../api/machines.ts';
import { ownOrganization } from '../api/organizations.ts';
import { clientFor, type Run } from './run.ts';

/** Where manifests and the chart of Zitadel keep the token of Login v2. */
const LOGIN = ['zitadel-login-client', 'login-client'];
/** Tokens of other accounts: whose, no secret says. */
const OTHERS = ['zitadel-k8s-admin-sa', 'iam-admin-pat'];
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
 * Tokens in the cluster: kept while the imported Zitadel takes them. The login client's is made anew where it is refused; without one
 * Login v2 signs in by a key pair, which no import touches. Throws Failure where a new one is needed and cannot be made.
 */
export async function secrets(run: Run): Promise<Readonly<Record<string, unknown>>> {
  const { api, kubectl } = run;
  if (kubectl === null || api === null) return {};
  const says: string[] = [];
  let [isThere, renewed, warning] = [false, false, false];
  for (const name of [...LOGIN, ...OTHERS]) {
    const kept = await tokenIn(kubectl, name);
    if (kept === undefined) continue;
    isThere ||= LOGIN.includes(name);
    if (kept !== '' && (await isTaken(api.url, kept)))
      says.push(`${name} is taken by the imported Zitadel: kept`);
    else if (LOGIN.includes(name)) {
      renewed = true;
      says.push(
        `${name} was refused by the imported Zitadel: a new token of ${await renew(run, kubectl, name)} is in it`,
      );
    } else {
      warning = true;
      says.push(
        `warning: ${name} is refused by the imported Zitadel: make a token for its account there, and put it into the secret`,
      );
    }
  }
  if (!isThere)
    says.push(`there is no token in a secret ${LOGIN[0] ?? ''}: Login v2 signs in by its key pair`);
  return { says: says.join('; '), renewed, warning };
}

/** Undefined where there is no such secret, or no token in it. */
async function tokenIn(kubectl: Kubectl, name: string): Promise<string | undefined> {
  const { items } = await kubectl.read(['get', 'secrets', `--field-selector=metadata.name=${name}`], Secrets);
  const value = items.find(({ metadata }) => metadata.name === name)?.data[KEY];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8').trim();
}

/** Returns the name of the account whose token it is now. */
async function renew({ api, journal }: Run, kubectl: Kubectl, name: string): Promise<string> {
  if (api?.token == null)
    throw new Failure(
      `${name} is refused by the imported Zitadel, and ZITADEL_SERVICE_TOKEN is not set, which a new one is made with`,
    );
  const made = await newToken(clientFor({ url: api.url, token: api.token }));
  const manifest = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    type: 'Opaque',
    data: { [KEY]: Buffer.from(made.token).toString('base64') },
  };
  // On the server: it leaves other keys and labels as they are, and no copy of the token in an annotation.
  await kubectl.run(['apply', '--server-side', '--force-conflicts', '--filename=-'], {
    input: JSON.stringify(manifest),
  });
  journal.record('secrets', 'note', { secret: name, user: made.user });
  return made.user;
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
  // One of another organisation is its administrators', who could make tokens of it.
  const named = accounts.find(
    ({ username, details }) => username === 'login-client' && details.resourceOwner === organization,
  );
  const account = { userName: 'login-client', name: 'Login v2', description: 'The sign-in pages' };
  const id = named?.userId ?? (await createMachine(client, organization, account));
  await setInstanceMember(
    client,
    id,
    [ROLE],
    members.some(({ userId }) => userId === id),
  );
  const { token } = await createPat(client, { id, organization }, expires);
  return { user: 'login-client', token };
}
