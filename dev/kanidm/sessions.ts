import { randomBytes, randomUUID } from 'node:crypto';
import type { Hono } from 'hono';
import * as z from 'zod';
import { KanidmRefused, noEntry, notSignedIn } from './faults.ts';
import type { Parts } from './index.ts';
import { matches } from './passwords.ts';
import { isLive } from './shape.ts';
import type { Entry, Store } from './store.ts';
import { bodyOf } from './values.ts';

/** A person signed in. */
export interface Session {
  readonly id: string;
  readonly person: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  ended: boolean;
}

export type SignedIn =
  | { readonly outcome: 'success'; readonly token: string }
  | { readonly outcome: 'denied'; readonly reason: string };

/** How long one wrong password locks a sign-in. */
const LOCKED_MS = 1_000;

/** Sign-in by password, and the sessions it makes. */
export class Sessions {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #sessions = new Map<string, Session>();
  readonly #locked = new Map<string, number>();

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Undefined: a password is wanted. */
  refusal(person: Entry): string | undefined {
    if (!isLive(person, this.#now())) return 'account expired';
    return person.password === undefined ? 'invalid credential state' : undefined;
  }

  isLocked(person: Entry): boolean {
    return (this.#locked.get(person.uuid) ?? 0) > this.#now();
  }

  signIn(person: Entry, password: string): SignedIn {
    const reason =
      this.refusal(person) ?? (this.isLocked(person) ? 'Account is temporarily locked' : undefined);
    if (reason !== undefined) return { outcome: 'denied', reason };
    if (person.password === undefined || !matches(person.password, password)) {
      this.#locked.set(person.uuid, this.#now() + LOCKED_MS);
      return { outcome: 'denied', reason: 'incorrect password' };
    }
    const token = randomBytes(32).toString('base64url');
    const session = { id: randomUUID(), person: person.uuid, since: this.#now(), ended: false };
    this.#sessions.set(token, session);
    return { outcome: 'success', token };
  }

  /** The living session of a token. Throws as Kanidm answers. */
  of(token: string): Session {
    const session = this.#sessions.get(token);
    if (session === undefined) throw notSignedIn();
    if (!this.lives(session)) throw new KanidmRefused(401, 'sessionexpired');
    return session;
  }

  lives(session: Session): boolean {
    const person = this.#store.find(session.person);
    return !session.ended && person !== undefined && isLive(person, this.#now());
  }
}

const Step = z.object({
  step: z.union([
    z.object({ init2: z.object({ username: z.string() }) }),
    z.object({ init: z.string() }),
    z.object({ begin: z.string() }),
    z.object({ cred: z.object({ password: z.string() }) }),
  ]),
});

const SESSION_HEADER = 'x-kanidm-auth-session-id';

/** `/v1/auth`, its session in a header, and `/v1/auth/valid`. */
export function authRoutes(app: Hono, { store, sessions }: Parts): void {
  const under = new Map<string, Entry>();
  app.post('/v1/auth', async (c) => {
    const { step } = await bodyOf(c, Step);
    if ('init2' in step || 'init' in step) {
      const person = store.find('init2' in step ? step.init2.username : step.init);
      if (person === undefined || person.kind === 'group') throw noEntry();
      const sessionid = randomUUID();
      under.set(sessionid, person);
      c.header(SESSION_HEADER, sessionid);
      const denied = sessions.refusal(person);
      return c.json({ sessionid, state: denied === undefined ? { choose: ['password'] } : { denied } });
    }
    const sessionid = c.req.header(SESSION_HEADER) ?? '';
    const person = under.get(sessionid);
    if (person === undefined) {
      const words = "session id not present in cred presented to 'begin' step";
      throw new KanidmRefused(500, { invalidauthstate: words });
    }
    if ('begin' in step) {
      const locked = sessions.isLocked(person);
      const state = locked ? { denied: 'Account is temporarily locked' } : { continue: ['password'] };
      return c.json({ sessionid, state });
    }
    const result = sessions.signIn(person, step.cred.password);
    const state = result.outcome === 'success' ? { success: result.token } : { denied: result.reason };
    return c.json({ sessionid, state });
  });
  app.get('/v1/auth/valid', (c) => {
    sessions.of(bearer(c.req.header('authorization')));
    return c.json(null);
  });
  app.get('/v1/logout', (c) => {
    sessions.of(bearer(c.req.header('authorization'))).ended = true;
    return c.json(null);
  });
}

export function bearer(authorization: string | undefined): string {
  return /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '';
}
