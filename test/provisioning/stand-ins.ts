import { FULL } from '../support/scale.ts';
import { startKanidm, type Kanidm } from '../../dev/kanidm/index.ts';
import { startZitadel } from '../../dev/zitadel/index.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { openDirectory, signsInAtZitadel } from '../contracts/directory-support.ts';

/** The product's adapter, on a stand-in. */
export function kanidmDirectory(kanidm: Kanidm, syncToken: string | null = null): Directory {
  return openDirectory({
    provider: 'kanidm',
    issuer: kanidm.issuer('api'),
    url: kanidm.url,
    token: kanidm.token,
    syncToken,
  });
}

/** A provider of its own for a suite, with the variables that lead the commands to it. */
export interface Provider {
  readonly name: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly directory: Directory;
  /** Whether a sign-in there by this password succeeds; null where hashes do not go along. */
  readonly signsIn: ((id: string, password: string) => Promise<boolean>) | null;
  close(): Promise<void>;
}

type Start = readonly [name: string, start: () => Promise<Provider>];

const ALL: readonly Start[] = [
  ['Kanidm, local (stand-in)', () => startKanidmProvider(false)],
  ['Kanidm, sync (stand-in)', () => startKanidmProvider(true)],
  ['Zitadel, organisations (stand-in)', () => startZitadelProvider('organisations')],
  ['Zitadel, roles (stand-in)', () => startZitadelProvider('roles')],
];

/** Every mode in full runs; else one: test/contracts/ holds all of them to one directory every time, and the demo goes to Kanidm. */
export const PROVIDERS = FULL ? ALL : ALL.slice(2, 3);

async function startKanidmProvider(sync: boolean): Promise<Provider> {
  const kanidm = await startKanidm();
  const syncToken = sync ? kanidm.syncs.make('sallyport_sync') : null;
  return {
    name: 'kanidm',
    variables: {
      KANIDM_URL: kanidm.url,
      KANIDM_ISSUER_URL: kanidm.issuer('api'),
      KANIDM_TOKEN: kanidm.token,
      ...(syncToken !== null && { KANIDM_SYNC_TOKEN: syncToken }),
    },
    directory: kanidmDirectory(kanidm, syncToken),
    signsIn: null,
    close: () => kanidm.close(),
  };
}

async function startZitadelProvider(tenancy: 'organisations' | 'roles'): Promise<Provider> {
  const zitadel = await startZitadel();
  const { url, token } = zitadel;
  const organization = tenancy === 'roles' ? ORGANIZATION : null;
  const projectId = tenancy === 'roles' ? zitadel.grants.createProject(ORGANIZATION, 'api') : null;
  return {
    name: 'zitadel',
    variables: {
      ZITADEL_ISSUER_URL: url,
      ZITADEL_PROVISIONING_TOKEN: token,
      ZITADEL_TENANCY: tenancy,
      ...(organization !== null && { ZITADEL_ORGANIZATION: organization }),
      ...(projectId !== null && { ZITADEL_PROJECT_ID: projectId }),
    },
    directory: openDirectory({
      provider: 'zitadel',
      issuer: url,
      url,
      token,
      tenancy,
      organization,
      projectId,
    }),
    signsIn: (userId, password) => signsInAtZitadel(zitadel, userId, password),
    close: () => zitadel.close(),
  };
}
