import * as z from 'zod';
import { randomUUID } from 'node:crypto';
import { startKanidm, type Kanidm } from '../../../dev/kanidm/index.ts';
import { PUBLIC_URL } from '../suite.ts';

const PASSWORD = 'a password of the provider';
export const CLIENT = 'sallyport_web';
/** Whoever is in it may sign in. */
export const SIGN_IN = 'sallyport_people';

/** A stand-in that answers as Kanidm was recorded to, with a client for the gateway. */
export interface WithKanidm {
  readonly kanidm: Kanidm;
  readonly there: AtKanidm;
  /** Of a gateway that signs in by that client. */
  readonly variables: Readonly<Record<string, string>>;
}

export async function startWithKanidm(): Promise<WithKanidm> {
  const secret = randomUUID();
  const kanidm = await startKanidm();
  const there = atKanidm(kanidm);
  await there.group(SIGN_IN, []);
  await kanidm.addClient({
    name: CLIENT,
    secret,
    redirectUris: [`${PUBLIC_URL}/api/v1/auth/oauth/callback/kanidm`],
    scopes: { [SIGN_IN]: ['openid', 'profile', 'email', 'groups', 'offline_access'] },
  });
  return {
    kanidm,
    there,
    variables: {
      MIGRATION_PROVIDER: 'kanidm',
      KANIDM_ISSUER_URL: kanidm.issuer(CLIENT),
      KANIDM_AUDIENCE: CLIENT,
      KANIDM_CLIENT_ID: CLIENT,
      KANIDM_CLIENT_SECRET: secret,
    },
  };
}

/** People and groups of a Kanidm, by its own API. */
export interface AtKanidm {
  person(of: { readonly name: string; readonly uuid?: string; readonly mail: string }): Promise<string>;
  group(name: string, members: readonly string[]): Promise<string>;
  join(group: string, member: string): Promise<void>;
  leave(group: string, member: string): Promise<void>;
  disable(name: string): Promise<void>;
  /** What a browser that is signed in as this person comes back with: a path of the gateway. */
  approve(location: string, name: string): Promise<string>;
  /** Ends the person's session at Kanidm, as by signing out there. */
  signOut(name: string): Promise<void>;
}

const Group = z.object({ attrs: z.object({ uuid: z.tuple([z.string()]) }) });
const Consent = z.object({ ConsentRequested: z.object({ consent_token: z.string() }) });
const Success = z.object({ state: z.object({ success: z.string() }) });

function atKanidm(kanidm: Kanidm): AtKanidm {
  const sessions = new Map<string, string>();
  const call = async (method: string, path: string, body?: unknown, headers = {}): Promise<Response> => {
    const answer = await fetch(kanidm.url + path, {
      method,
      redirect: 'manual',
      headers: { authorization: `Bearer ${kanidm.token}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (answer.status >= 400) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const signIn = async (name: string): Promise<string> => {
    const held = sessions.get(name);
    if (held !== undefined) return held;
    const begun = await call('POST', '/v1/auth', {
      step: { init2: { username: name, issue: 'token', privileged: false } },
    });
    const session = { 'x-kanidm-auth-session-id': begun.headers.get('x-kanidm-auth-session-id') ?? '' };
    await call('POST', '/v1/auth', { step: { begin: 'password' } }, session);
    const done = await call('POST', '/v1/auth', { step: { cred: { password: PASSWORD } } }, session);
    const token = Success.parse(await done.json()).state.success;
    sessions.set(name, token);
    return token;
  };
  return {
    async person({ name, uuid, mail }) {
      const attrs = { name: [name], displayname: [name], mail: [mail], ...(uuid && { uuid: [uuid] }) };
      await call('POST', '/v1/person', { attrs });
      kanidm.setPassword(name, PASSWORD);
      return Group.parse(await (await call('GET', `/v1/person/${name}`)).json()).attrs.uuid[0];
    },
    async group(name, members) {
      await call('POST', '/v1/group', { attrs: { name: [name], member: members } });
      return Group.parse(await (await call('GET', `/v1/group/${name}`)).json()).attrs.uuid[0];
    },
    async join(group, member) {
      await call('POST', `/v1/group/${group}/_attr/member`, [member]);
    },
    async leave(group, member) {
      await call('DELETE', `/v1/group/${group}/_attr/member`, [member]);
    },
    async disable(name) {
      await call('PUT', `/v1/person/${name}/_attr/account_expire`, ['1970-01-01T00:00:00Z']);
    },
    async approve(location, name) {
      const session = { authorization: `Bearer ${await signIn(name)}` };
      const asked = await call('GET', `/oauth2/authorise${new URL(location).search}`, undefined, session);
      const permitted =
        asked.status === 302
          ? asked
          : await call(
              'GET',
              `/oauth2/authorise/permit?token=${Consent.parse(await asked.json()).ConsentRequested.consent_token}`,
              undefined,
              session,
            );
      const back = new URL(permitted.headers.get('location') ?? '');
      return back.pathname + back.search;
    },
    async signOut(name) {
      await call('GET', '/v1/logout', undefined, { authorization: `Bearer ${await signIn(name)}` });
      sessions.delete(name);
    },
  };
}
