import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { listen, LOOPBACK, stop } from '../listen.ts';
import { zitadelApp } from './app.ts';
import { Credentials } from './credentials.ts';
import { Deliveries } from './deliveries.ts';
import { EventStore, type StoredEvent } from './events.ts';
import { Grants } from './grants.ts';
import { Organizations } from './organizations.ts';
import { Projections } from './projections.ts';
import { callTargets, type RequestTarget } from './request-target.ts';
import { Settings } from './settings.ts';
import { ORGANIZATION, Users } from './users.ts';
import { post, type Target } from './target.ts';

const INSTANCE_ID = '350000000000000000';

export interface ZitadelOptions {
  /** Where events are delivered; absent: nowhere. */
  readonly target?: Target | undefined;
  /** Deliveries are dropped, doubled, delayed and reordered as this number says; absent: never. */
  readonly seed?: number;
  readonly port?: number;
  /**
   * Resolves when the target has applied what it was sent of a user. With it a command over HTTP answers only then, so
   * that what is typed next meets its effects; absent: it answers at once, as Zitadel does.
   */
  readonly applied?: (userId: string) => Promise<void>;
  /** Lists lag behind what was written, as those of Zitadel may: the first of a kind after a command does not show it. */
  readonly lag?: boolean;
  readonly clock?: { now(): number };
  /** Called before each request; what it returns is the answer. */
  readonly intercept?: (request: Request) => Promise<Response | undefined> | Response | undefined;
}

/** A stand-in: not Zitadel, but what Sallyport needs of it, as README.md lists. */
export interface Zitadel {
  readonly url: string;
  readonly instanceId: string;
  /** Of a service account that may do everything. */
  readonly token: string;
  readonly users: Users;
  readonly organizations: Organizations;
  /** Projects, roles, and who has them. */
  readonly grants: Grants;
  readonly credentials: Credentials;
  /** Of the instance and of projects. */
  readonly settings: Settings;
  /** Lets a target be called before a request of its method is carried out. */
  addRequestTarget(target: RequestTarget): void;
  readonly deliveries: Deliveries;
  close(): Promise<void>;
}

export async function startZitadel(options: ZitadelOptions = {}): Promise<Zitadel> {
  const { target, seed, applied, clock = Date, intercept } = options;
  const now = () => clock.now();
  const token = randomBytes(24).toString('base64url');
  const store = new EventStore(now);
  const deliveries = new Deliveries({
    seed,
    deliver: async (event) =>
      target === undefined ? undefined : post(event, { instanceId: INSTANCE_ID, target, now: now() }),
  });
  const publish = (event: StoredEvent): void => {
    deliveries.enqueue(event);
  };
  const users = new Users(store, publish);
  const organizations = new Organizations(store, publish);
  const effects = async (userId: string): Promise<void> => {
    if (applied === undefined) return;
    await deliveries.settled();
    await applied(userId);
  };
  const targets: RequestTarget[] = [];
  const grants = new Grants();
  const credentials = new Credentials(users);
  const settings = new Settings(store, INSTANCE_ID, ORGANIZATION, options.lag === true);
  const projections = new Projections({ users, organizations, grants }, options.lag === true);
  const app = zitadelApp({
    ...{
      instanceId: INSTANCE_ID,
      token,
      store,
      users,
      organizations,
      grants,
      credentials,
      projections,
      settings,
      now,
      effects,
    },
    onRequest: (method, request) =>
      callTargets(targets, method, request, { instanceId: INSTANCE_ID, now: now() }),
  });
  const server = createServer((request, response) => void handle(request, response));
  const handle = getRequestListener(async (request) => (await intercept?.(request)) ?? app.fetch(request), {
    overrideGlobalObjects: false,
  });
  const url = `http://${LOOPBACK}:${await listen(server, options.port)}`;
  return {
    ...{
      url,
      instanceId: INSTANCE_ID,
      token,
      users,
      organizations,
      grants,
      credentials,
      settings,
      deliveries,
    },
    addRequestTarget(added) {
      targets.push(added);
    },
    close: () => stop(server),
  };
}
