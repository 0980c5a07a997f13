import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { listen, LOOPBACK, stop } from '../listen.ts';
import { Credentials, credentialRoutes } from './credentials.ts';
import { KanidmRefused } from './faults.ts';
import { groupRoutes, serviceAccount } from './groups.ts';
import { OAuth2, type ClientOptions } from './oauth2.ts';
import { personRoutes } from './people.ts';
import { rawRoutes } from './raw.ts';
import { furnish, Tokens, type Right } from './rights.ts';
import { scimRoutes } from './scim.ts';
import { authRoutes, Sessions } from './sessions.ts';
import { Store } from './store.ts';
import { SyncAccounts, syncRoutes } from './sync.ts';
import { tokenRoutes } from './token-routes.ts';
import { uiRoutes } from './ui.ts';

export interface Parts {
  readonly url: string;
  readonly now: () => number;
  readonly store: Store;
  readonly tokens: Tokens;
  readonly syncs: SyncAccounts;
  readonly sessions: Sessions;
  readonly credentials: Credentials;
  readonly oauth2: OAuth2;
  readonly adminToken: string;
  readonly mailIndex: boolean;
}

export interface KanidmOptions {
  readonly port?: number;
  readonly clock?: { now(): number };
  /** False: as a new database is, before `kanidmd database reindex`. Default true. */
  readonly mailIndex?: boolean;
  /** Called before each request; what it returns is the answer. */
  readonly intercept?: (request: Request) => Promise<Response | undefined> | Response | undefined;
}

/** A stand-in: not Kanidm, but what Sallyport needs of it, as README.md lists. */
export interface Kanidm {
  readonly url: string;
  readonly store: Store;
  readonly syncs: SyncAccounts;
  /** Of a service account with all rights of provisioning. */
  readonly token: string;
  /** Of `admin`, who alone ends sync accounts. */
  readonly adminToken: string;
  /** Value of `iss` of a client. */
  issuer(client: string): string;
  /** A token of a new service account in these groups. */
  tokenWith(groups: readonly Right[], mayWrite?: boolean): string;
  /** As a person who has set it would have one. */
  setPassword(id: string, password: string): void;
  addClient(options: ClientOptions): Promise<void>;
  close(): Promise<void>;
}

const PROVISIONING: readonly Right[] = ['idm_people_admins', 'idm_group_admins', 'idm_recycle_bin_admins'];

export async function startKanidm(options: KanidmOptions = {}): Promise<Kanidm> {
  const { clock = Date, mailIndex = true, intercept } = options;
  const now = (): number => clock.now();
  const server = createServer((request, response) => void handle(request, response));
  // Issuers carry the port, so the socket comes before the application.
  const url = `http://${LOOPBACK}:${await listen(server, options.port)}`;
  const store = new Store(now);
  furnish(store);
  const sessions = new Sessions(store, now);
  const parts: Parts = {
    ...{ url, now, store, sessions, mailIndex },
    tokens: new Tokens(store),
    syncs: new SyncAccounts(),
    credentials: new Credentials({ store, now }),
    oauth2: new OAuth2(url, store, sessions, now),
    adminToken: randomBytes(32).toString('base64url'),
  };
  const app = kanidmApp(parts);
  const handle = getRequestListener(async (request) => (await intercept?.(request)) ?? app.fetch(request), {
    overrideGlobalObjects: false,
  });
  let accounts = 0;
  const tokenWith: Kanidm['tokenWith'] = (groups, mayWrite = true) => {
    accounts += 1;
    return parts.tokens.make(serviceAccount(store, `sallyport_prov${accounts}`, groups), mayWrite);
  };
  return {
    ...{ url, store, tokenWith, syncs: parts.syncs, adminToken: parts.adminToken },
    token: tokenWith(PROVISIONING),
    issuer: (name) => `${url}/oauth2/openid/${name}`,
    setPassword(id, text) {
      const person = store.find(id);
      if (person === undefined) throw new Error(`there is no ${id}`);
      store.modify(person, { password: { kind: 'plain', text } });
    },
    async addClient(client) {
      await parts.oauth2.addClient(client);
    },
    close: () => stop(server),
  };
}

function kanidmApp(parts: Parts): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    c.header('x-kanidm-version', '1.11.1');
    c.header('cache-control', 'no-store, no-cache, max-age=0');
  });
  app.get('/status', (c) => c.json(true));
  credentialRoutes(app, parts);
  personRoutes(app, parts);
  rawRoutes(app, parts);
  groupRoutes(app, parts);
  scimRoutes(app, parts);
  syncRoutes(app, parts);
  authRoutes(app, parts);
  tokenRoutes(app, parts);
  uiRoutes(app, parts);
  app.notFound((c) => c.text('Route not found', 404));
  app.onError((error, c) => {
    if (error instanceof KanidmRefused)
      return error.body === undefined ? c.body('', error.status) : c.json(error.body, error.status);
    console.error('kanidm stand-in:', error);
    return c.json('internalerror', 500);
  });
  return app;
}
