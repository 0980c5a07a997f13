import { randomBytes } from 'node:crypto';
import { startKanidm, type Kanidm } from './kanidm/index.ts';
import { enrol } from './kanidm/rights.ts';
import { generateKey } from './keys.ts';
import { LEGACY_PASSWORD, LEGACY_PEOPLE } from './legacy/people.ts';
import type { WebClient } from './oidc/directory.ts';
import type { StackVariables } from './stack.ts';

/** Where people of the legacy application go. */
export type DoorProvider = 'kanidm' | 'zitadel';

/** What sign-in by password, Kanidm and Zitadel needs beside the gateway. */
export interface Doors {
  readonly url: string;
  readonly kanidm: Kanidm;
  /** Of the gateway at Zitadel. */
  readonly webClient: WebClient;
  readonly variables: StackVariables;
  close(): Promise<void>;
}

/** Of the OAuth2 client; part of the issuer's URL. */
const CLIENT = 'sallyport';
const WEB_CLIENT = 'sallyport-web';
/** So that people whom it syncs may set a password behind an invitation. */
const YIELDED = ['primary_credential', 'passkeys'];
const SCOPES = ['openid', 'profile', 'email', 'groups'];

/** Kanidm as docs/provisioning.md wants it: a service account, a sync account, a client that all people may use. */
export async function startDoors(publicUrl: string, provider: DoorProvider): Promise<Doors> {
  const kanidm = await startKanidm();
  const [secret, webSecret] = [secretText(), secretText()];
  const oauth = `${publicUrl}/api/v1/auth/oauth`;
  await kanidm.addClient({
    ...{ name: CLIENT, displayname: 'Sallyport demo', secret, consentPrompt: false },
    redirectUris: [`${oauth}/callback/kanidm`],
    scopes: { idm_all_persons: SCOPES },
  });
  addLinkedBefore(kanidm);
  return {
    url: kanidm.url,
    kanidm,
    webClient: {
      ...{ id: WEB_CLIENT, secret: webSecret, redirectUris: [`${oauth}/callback/zitadel`] },
      backchannelLogoutUri: `${oauth}/backchannel-logout/zitadel`,
    },
    variables: {
      FUNCTIONS: 'auth,invites,analytics',
      PUBLIC_URL: publicUrl,
      SESSION_KEYS: JSON.stringify({ keys: [await generateKey('ES256', 'demo-sessions')] }),
      // That of the hashes there are, so that a sign-in computes one only.
      PASSWORD_COST: '10',
      // The lines may be pasted several times a minute.
      LOGIN_RATE: '120/60s,60/60s',
      MIGRATION_PROVIDER: provider,
      ZITADEL_OAUTH_CLIENT_ID: WEB_CLIENT,
      ZITADEL_OAUTH_CLIENT_SECRET: webSecret,
      KANIDM_ISSUER_URL: kanidm.issuer(CLIENT),
      KANIDM_URL: kanidm.url,
      KANIDM_AUDIENCE: CLIENT,
      KANIDM_CLIENT_ID: CLIENT,
      KANIDM_CLIENT_SECRET: secret,
      KANIDM_TOKEN: kanidm.token,
      KANIDM_SYNC_TOKEN: kanidm.syncs.make('sallyport_sync', YIELDED),
      // alice, bob and carol of the OpenID provider are known by their names alone.
      SHARED_SUBJECT_ISSUERS: 'session,kanidm,zitadel',
    },
    close: () => kanidm.close(),
  };
}

function secretText(): string {
  return randomBytes(24).toString('base64url');
}

/** Accounts of people whom the database has as linked already. */
function addLinkedBefore(kanidm: Kanidm): void {
  const { store } = kanidm;
  for (const { account, email, fullName } of LEGACY_PEOPLE) {
    if (account === null) continue;
    const name = email.replace('@', '_');
    enrol(
      store,
      store.create([{ kind: 'person', uuid: account, name, displayname: fullName, mail: [email] }]),
    );
    kanidm.setPassword(account, LEGACY_PASSWORD);
  }
}
