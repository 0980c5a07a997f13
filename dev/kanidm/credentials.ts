import { randomBytes, randomUUID } from 'node:crypto';
import type { Context, Hono } from 'hono';
import * as z from 'zod';
import { KanidmRefused, noEntry } from './faults.ts';
import type { Parts } from './index.ts';
import { mustBeStrong } from './passwords.ts';
import { mustWrite, sight } from './rights.ts';
import type { Entry } from './store.ts';
import { bodyOf } from './values.ts';

interface Intent {
  readonly person: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  spent: boolean;
  /** The only update session that may commit: each visit of the link begins another. */
  session: string | undefined;
}

interface UpdateSession {
  readonly id: string;
  readonly person: string;
  readonly intent: Intent;
  password: string | undefined;
  done: boolean;
}

const SHORTEST_S = 300;
const LONGEST_S = 86_400;
const DEFAULT_S = 3_600;

/** Reset links and the sessions they open. */
export class Credentials {
  readonly #parts: Pick<Parts, 'store' | 'now'>;
  readonly #intents = new Map<string, Intent>();
  readonly #sessions = new Map<string, UpdateSession>();

  constructor(parts: Pick<Parts, 'store' | 'now'>) {
    this.#parts = parts;
  }

  begin(person: Entry, ttlSeconds = DEFAULT_S): { readonly token: string; readonly expiry_time: number } {
    const token = randomBytes(10)
      .toString('hex')
      .replace(/(.{5})(?=.)/g, '$1-');
    const ttl = Math.min(LONGEST_S, Math.max(SHORTEST_S, ttlSeconds));
    const expires = this.#parts.now() + ttl * 1_000;
    this.#intents.set(token, { person: person.uuid, expires, spent: false, session: undefined });
    return { token, expiry_time: Math.floor(expires / 1_000) };
  }

  /** Opens an update session; the one before can no longer commit. */
  exchange(token: string): string {
    const intent = this.#intents.get(token);
    if (intent === undefined || this.#parts.store.find(intent.person) === undefined)
      throw new KanidmRefused(500, { wait: Math.floor(this.#parts.now() / 1_000) });
    if (intent.spent || intent.expires <= this.#parts.now()) throw new KanidmRefused(401, 'sessionexpired');
    const id = randomUUID();
    intent.session = id;
    const { person } = intent;
    this.#sessions.set(id, { id, person, intent, password: undefined, done: false });
    return id;
  }

  setPassword(session: string, password: string): void {
    mustBeStrong(password);
    this.#open(session).password = password;
  }

  commit(session: string): void {
    const open = this.#open(session);
    if (open.intent.session !== session) throw new KanidmRefused(500, 'cu0005intenttokenconflict');
    const person = this.#parts.store.find(open.person);
    if (open.password === undefined && person?.password === undefined)
      throw new KanidmRefused(500, 'cu0004sessioninconsistent');
    if (person !== undefined && open.password !== undefined)
      this.#parts.store.modify(person, { password: { kind: 'plain', text: open.password } });
    open.done = true;
    open.intent.spent = true;
  }

  cancel(session: string): void {
    this.#open(session).done = true;
  }

  status(session: string): Readonly<Record<string, unknown>> {
    const { person: id, password } = this.#open(session);
    const person = this.#parts.store.find(id);
    const has = password !== undefined || person?.password !== undefined;
    return {
      spn: person === undefined ? '' : this.#parts.store.spn(person),
      displayname: person?.displayname ?? '',
      ext_cred_portal: person?.syncedBy === undefined ? 'None' : 'Hidden',
      mfaregstate: 'None',
      can_commit: has,
      warnings: has ? [] : ['NoValidCredentials'],
      dirty: password !== undefined,
      primary: has ? { uuid: session, type_: 'Password' } : null,
      primary_state: 'Modifiable',
      passkeys: [],
      passkeys_state: 'Modifiable',
    };
  }

  #open(session: string): UpdateSession {
    const open = this.#sessions.get(session);
    if (open === undefined || open.done) throw new KanidmRefused(500, 'invalidstate');
    return open;
  }
}

const Session = z.object({ token: z.string() });
const Update = z.tuple([
  z.union([z.object({ password: z.string() }), z.object({ passwordqualitycheck: z.string() })]),
  Session,
]);

export function credentialRoutes(app: Hono, parts: Parts): void {
  const { store, tokens, credentials, syncs } = parts;
  const mayReset = (person: Entry): boolean =>
    person.syncedBy === undefined ||
    syncs.get(person.syncedBy)?.yields.includes('primary_credential') === true;
  const intent = (c: Context): Response => {
    const actor = tokens.actor(c.req.header('authorization'));
    mustWrite(actor);
    const ttl = c.req.param('ttl');
    if (ttl !== undefined && !/^\d+$/.test(ttl))
      throw new KanidmRefused(
        400,
        `Invalid URL: Cannot parse value at index 1 with value \`${ttl}\` to a \`u64\``,
      );
    const person = store.find(c.req.param('id') ?? '');
    const may = actor.has('idm_people_admins', 'idm_people_on_boarding', 'idm_service_desk');
    if (may && person?.kind !== 'person') throw noEntry();
    if (!may || person === undefined || !mayReset(person)) throw new KanidmRefused(500, 'notauthorised');
    return c.json(credentials.begin(person, ttl === undefined ? undefined : Number(ttl)));
  };
  app.get('/v1/person/:id/_credential/_update_intent', intent);
  app.get('/v1/person/:id/_credential/_update_intent/:ttl', intent);
  app.get('/v1/person/:id/_credential/_status', (c) => {
    const actor = tokens.actor(c.req.header('authorization'));
    const person = store.find(c.req.param('id'));
    if (person?.kind !== 'person' || sight(actor) === 'nothing') throw noEntry();
    const creds = person.password === undefined ? [] : [{ uuid: person.uuid, type_: 'Password' }];
    return c.json({ creds });
  });
  app.post('/v1/credential/_exchange_intent', async (c) => {
    const token = credentials.exchange(await bodyOf(c, z.string()));
    return c.json([{ token }, credentials.status(token)]);
  });
  app.post('/v1/credential/_status', async (c) =>
    c.json(credentials.status((await bodyOf(c, Session)).token)),
  );
  app.post('/v1/credential/_update', async (c) => {
    const [change, { token }] = await bodyOf(c, Update);
    if ('password' in change) credentials.setPassword(token, change.password);
    else mustBeStrong(change.passwordqualitycheck);
    return c.json(credentials.status(token));
  });
  app.post('/v1/credential/_commit', async (c) => {
    credentials.commit((await bodyOf(c, Session)).token);
    return c.json(null);
  });
  app.post('/v1/credential/_cancel', async (c) => {
    credentials.cancel((await bodyOf(c, Session)).token);
    return c.json(null);
  });
}
