import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Hono } from 'hono';
import * as z from 'zod';
import { denied, KanidmRefused, noEntry, notSignedIn } from './faults.ts';
import type { Parts } from './index.ts';
import { imported } from './passwords.ts';
import { enrol } from './rights.ts';
import type { Entry, Store, Values } from './store.ts';
import { bodyOf, mailOf, nameOf, timeOf, uuidOf } from './values.ts';

const State = z.union([z.literal('Refresh'), z.object({ Active: z.object({ cookie: z.string() }) })]);

const SyncEntry = z.looseObject({
  id: z.string(),
  externalId: z.string(),
  name: z.string(),
  displayname: z.string(),
  mail: z.array(z.object({ value: z.string() })).default([]),
  password_import: z.string().optional(),
  account_expire: z.string().optional(),
  account_valid_from: z.string().optional(),
});
type SyncEntry = z.output<typeof SyncEntry>;

const Request = z.object({
  from_state: State,
  to_state: State,
  entries: z.array(SyncEntry),
  retain: z.union([z.literal('Ignore'), z.object({ Delete: z.array(z.string()) })]),
});

interface SyncAccount {
  readonly name: string;
  readonly token: string;
  state: z.output<typeof State>;
  yields: readonly string[];
}

/** SCIM sync accounts, which `admin` makes. */
export class SyncAccounts {
  readonly #accounts = new Map<string, SyncAccount>();

  /** Returns its token. `yields`: attributes that people and administrators may change all the same. */
  make(name: string, yields: readonly string[] = []): string {
    const token = randomBytes(32).toString('base64url');
    this.#accounts.set(name, { name, token, state: 'Refresh', yields });
    return token;
  }

  of(authorization: string | undefined): SyncAccount {
    const found = [...this.#accounts.values()].find(({ token }) => authorization === `Bearer ${token}`);
    if (found === undefined) throw notSignedIn();
    return found;
  }

  get(name: string): SyncAccount | undefined {
    return this.#accounts.get(name);
  }

  finalise(name: string, store: Store): boolean {
    if (!this.#accounts.delete(name)) return false;
    for (const entry of store.entries('person'))
      if (entry.syncedBy === name) store.modify(entry, { syncedBy: undefined });
    return true;
  }
}

export function syncRoutes(app: Hono, { store, syncs, adminToken }: Parts): void {
  app.get('/scim/v1/Sync', (c) => c.json(syncs.of(c.req.header('authorization')).state));
  app.post('/scim/v1/Sync', async (c) => {
    const account = syncs.of(c.req.header('authorization'));
    const { from_state: from, to_state: to, entries, retain } = await bodyOf(c, Request);
    if (!isDeepStrictEqual(from, account.state)) throw new KanidmRefused(500, 'invalidsyncstate');
    applyAll(store, account, entries);
    if (retain !== 'Ignore') remove(store, account, retain.Delete);
    account.state = to;
    return c.json(null);
  });
  const mustBeAdmin = (authorization: string | undefined): void => {
    if (authorization !== `Bearer ${adminToken}`) throw denied();
  };
  app.get('/v1/sync_account/:name/_finalise', (c) => {
    mustBeAdmin(c.req.header('authorization'));
    if (!syncs.finalise(c.req.param('name'), store)) throw noEntry();
    return c.json(null);
  });
  app.get('/v1/sync_account/:name/_terminate', (c) => {
    mustBeAdmin(c.req.header('authorization'));
    const name = c.req.param('name');
    const owned = store.entries('person').filter((entry) => entry.syncedBy === name);
    if (!syncs.finalise(name, store)) throw noEntry();
    for (const entry of owned) store.remove(entry);
    return c.json(null);
  });
  app.put('/v1/sync_account/:name/_attr/sync_yield_authority', async (c) => {
    mustBeAdmin(c.req.header('authorization'));
    const account = syncs.get(c.req.param('name'));
    if (account === undefined) throw noEntry();
    account.yields = await bodyOf(c, z.array(z.string()));
    return c.json(null);
  });
}

/** All entries or none. */
function applyAll(store: Store, account: SyncAccount, entries: readonly SyncEntry[]): void {
  const undo: (() => void)[] = [];
  try {
    for (const entry of entries) undo.push(applyOne(store, account, entry));
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** An entry is whole: what it lacks is removed, a password too. */
function applyOne(store: Store, { name: syncedBy, yields }: SyncAccount, entry: SyncEntry): () => void {
  const values: Values & { name: string } = {
    name: nameOf(entry.name),
    displayname: entry.displayname,
    mail: entry.mail.map(({ value }) => mailOf(value)),
    password: entry.password_import === undefined ? undefined : imported(entry.password_import),
    expire: entry.account_expire === undefined ? undefined : timeOf(entry.account_expire),
    validFrom: entry.account_valid_from === undefined ? undefined : timeOf(entry.account_valid_from),
  };
  const uuid = uuidOf(entry.id);
  const there = store.find(uuid);
  if (there === undefined) {
    // A new entry may not write an attribute that the sync account yields.
    if (yields.some((attribute) => ['displayname', 'mail'].includes(attribute)))
      throw new KanidmRefused(500, 'invalidentrystate');
    return added(store, uuid, values, syncedBy);
  }
  if (there.syncedBy !== syncedBy) throw new KanidmRefused(500, 'modifyassertionfailed');
  const { name, displayname, mail, password, expire, validFrom } = there;
  const before = { name, displayname, mail, password, expire, validFrom };
  store.modify(there, values);
  return () => {
    store.modify(there, before);
  };
}

function added(store: Store, uuid: string, values: Values & { name: string }, syncedBy: string): () => void {
  const made = store.create([{ kind: 'person', uuid, ...values, syncedBy }]);
  enrol(store, made);
  return () => {
    for (const entry of made) store.forget(entry);
  };
}

function remove(store: Store, { name }: SyncAccount, ids: readonly string[]): void {
  const owned = (entry: Entry | undefined): entry is Entry => entry?.syncedBy === name;
  for (const entry of ids.map((id) => store.find(id)).filter(owned)) store.remove(entry);
}
