import { randomUUID } from 'node:crypto';
import { zitadelApp } from '../../dev/zitadel/app.ts';
import { Deliveries } from '../../dev/zitadel/deliveries.ts';
import { EventStore, type StoredEvent } from '../../dev/zitadel/events.ts';
import { Organizations } from '../../dev/zitadel/organizations.ts';
import { Users } from '../../dev/zitadel/users.ts';
import { toDelivery } from '../../dev/zitadel/wire.ts';
import { insertEvent } from '../../functions/webhooks/inbox/table.ts';
import { IGNORED, parseEvent } from '../../functions/webhooks/receive/parse.ts';
import {
  reconcile,
  type Reconciled,
  type ReconcileDeps,
} from '../../functions/webhooks/reconcile/reconcile.ts';
import type { Database } from '../../shared/ports/database.ts';
import { ISSUER } from './events.ts';

export const START = Date.UTC(2026, 0, 2, 12);
const TOKEN = 'service-account-token';

export interface Instance {
  readonly users: Users;
  readonly organizations: Organizations;
  /** Of Zitadel: what happens within `work` is dated that much later. */
  readonly clock: { ahead(ms: number, work: () => void): void };
  readonly deliveries: Deliveries;
  readonly deps: ReconcileDeps;
  /** What reconcile asked Zitadel for, as `METHOD path`. */
  readonly asked: readonly string[];
  readonly warnings: readonly object[];
  readonly reconcile: (options?: {
    since?: Date;
    dryRun?: boolean;
    signal?: AbortSignal;
  }) => Promise<Reconciled>;
}

export interface InstanceOptions {
  readonly id: string;
  readonly database: Database;
  /** Absent: perfect delivery. */
  readonly seed?: number;
  /** False: nothing is delivered at all. */
  readonly delivers?: boolean;
  /** Milliseconds between two events; 0: all at one time. */
  readonly stepMs?: number;
  readonly token?: string;
  readonly url?: string;
  /** Milliseconds since the epoch. */
  readonly start?: number;
}

/** One instance of the stand-in without sockets: its deliveries go straight into the inbox. */
export function instance(options: InstanceOptions): Instance {
  const { id, database, seed, delivers = true, stepMs = 1_000, token = TOKEN } = options;
  let now = options.start ?? START;
  let aheadMs = 0;
  const clock = { now: () => now };
  const store = new EventStore(() => (now += stepMs) + aheadMs);
  const inbox = { database, clock, random: { uuid: randomUUID } };
  const deliver = async (event: StoredEvent) => {
    const parsed = parseEvent(toDelivery(event, id), ISSUER);
    if (parsed !== IGNORED) await insertEvent(parsed, inbox);
    return 202;
  };
  const deliveries = new Deliveries({ seed, deliver });
  const publish = (event: StoredEvent): void => {
    if (delivers) deliveries.enqueue(event);
  };
  const users = new Users(store, publish);
  const organizations = new Organizations(store, publish);
  const app = zitadelApp({ instanceId: id, token: TOKEN, store, users, organizations });
  const asked: string[] = [];
  const warnings: object[] = [];
  const nothing = () => undefined;
  const deps: ReconcileDeps = {
    ...inbox,
    issuer: ISSUER,
    api: { url: options.url ?? 'https://zitadel.test', token },
    fetch: async (url, init) => {
      asked.push(`${init?.method ?? 'GET'} ${new URL(url).pathname}`);
      return app.request(url, init);
    },
    log: {
      debug: nothing,
      info: nothing,
      error: nothing,
      warn: (_, fields) => void warnings.push({ ...fields }),
    },
  };
  const ahead = (ms: number, work: () => void): void => {
    aheadMs = ms;
    work();
    aheadMs = 0;
  };
  return {
    users,
    organizations,
    clock: { ahead },
    deliveries,
    deps,
    asked,
    warnings,
    reconcile: ({ since, dryRun = false, signal = new AbortController().signal } = {}) =>
      reconcile(deps, { since, dryRun, signal }),
  };
}
