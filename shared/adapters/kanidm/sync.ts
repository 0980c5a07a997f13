import * as z from 'zod';
import { isFailure, type Failure, type NewPerson, type Person } from '../../ports/directory.ts';
import type { Caller } from '../provider-call.ts';
import { ask, asFailure, batchMs, READ_MS, type KanidmFault } from './client.ts';
import type { CreateAll } from './create.ts';
import { kanidmName } from './names.ts';
import { whichExist } from './people.ts';

type State = 'Refresh' | { readonly Active: { readonly cookie: string } };

const State: z.ZodType<State> = z.union([
  z.literal('Refresh'),
  z.object({ Active: z.object({ cookie: z.string() }) }),
]);

/** Always the same, so that a state that was read stays valid whoever else synchronises: each entry is sent whole. */
const OURS: State = { Active: { cookie: Buffer.from('sallyport').toString('base64') } };

const SCHEMAS = ['person', 'account'].map((kind) => `urn:ietf:params:scim:schemas:kanidm:sync:1:${kind}`);

/** Everything of a synced person: what is left out is removed, a password too. */
export interface SyncEntry {
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
  readonly mail: string | null;
  readonly disabled: boolean;
  /** In a form that Kanidm imports. */
  readonly password: string | null;
}

/** RFC 3339; long past. */
export const EXPIRED = '1970-01-01T00:00:00Z';

function toEntry({ id, name, displayName, mail, disabled, password }: SyncEntry) {
  return {
    schemas: SCHEMAS,
    id,
    externalId: id,
    name,
    displayname: displayName,
    ...(mail !== null && { mail: [{ type: 'work', primary: true, value: mail }] }),
    ...(disabled && { account_expire: EXPIRED }),
    ...(password !== null && { password_import: password }),
  };
}

export interface Sync {
  /** Writes all entries or none. */
  write(entries: readonly SyncEntry[]): Promise<{ readonly outcome: 'ok' } | KanidmFault>;
  remove(ids: readonly string[]): Promise<{ readonly outcome: 'ok' } | KanidmFault>;
  /** Reads the state, which shows whether the token is accepted. */
  check(): Promise<{ readonly outcome: 'ok' } | Failure>;
}

const FINALISED =
  'KANIDM_SYNC_TOKEN is not of a sync account, or that was finalised: unset it where the migration has ended, else make a token: `kanidm system sync generate-token NAME sallyport`';

function deniedSync(failure: Failure): Failure {
  return failure.outcome === 'denied' ? { ...failure, remedy: FINALISED } : failure;
}

/** The SCIM sync account of a token. */
export function kanidmSync(caller: Caller): Sync {
  // A value, not its promise: on Workers a promise of one request cannot be awaited by another.
  let known: State | undefined;
  const read = async (): Promise<State | Failure> => {
    const answer = await ask(caller, { method: 'GET', path: '/scim/v1/Sync', timeoutMs: READ_MS });
    if (answer.outcome !== 'ok') return deniedSync(asFailure(answer));
    const state = State.safeParse(answer.body).data;
    return state ?? { outcome: 'failed', reason: 'not the state of a synchronisation' };
  };
  const send = async (
    entries: readonly SyncEntry[],
    retain: 'Ignore' | { readonly Delete: readonly string[] },
    again: boolean,
  ): Promise<{ readonly outcome: 'ok' } | KanidmFault> => {
    const from = known ?? (await read());
    if (typeof from === 'object' && 'outcome' in from) return from;
    const body = { from_state: from, to_state: OURS, entries: entries.map(toEntry), retain };
    const timeoutMs = batchMs(entries.length);
    const answer = await ask(caller, { method: 'POST', path: '/scim/v1/Sync', body, timeoutMs });
    if (answer.outcome === 'ok') known = OURS;
    else if (answer.outcome === 'stale-state') {
      known = undefined;
      if (again) return send(entries, retain, false);
    } else if (isFailure(answer)) return deniedSync(answer);
    return answer;
  };
  return {
    write: (entries) => send(entries, 'Ignore', true),
    remove: (ids) => send([], { Delete: ids }, true),
    async check() {
      const state = await read();
      if (typeof state === 'object' && 'outcome' in state) return state;
      known = state;
      return { outcome: 'ok' };
    },
  };
}

/** Synced people. Whoever exists is left as they are: another entry without their password would remove it. */
export function syncedCreation(sync: Sync, caller: Caller): CreateAll {
  return async (people) => {
    const known = await whichExist(
      caller,
      people.map(({ id }) => id),
    );
    if (known.outcome !== 'exist') return known;
    if (known.ids.size > 0) return { outcome: 'uuid-taken' };
    return sync.write(people.map(newEntry));
  };
}

function newEntry({ id, mail, displayName }: NewPerson): SyncEntry {
  return {
    id,
    name: kanidmName(mail),
    displayName: displayName.trim() || mail,
    mail,
    disabled: false,
    password: null,
  };
}

/** The entry of a person as they are, without their password, which Kanidm does not show. */
export function entryOf(person: Person): SyncEntry {
  const { id, name, displayName, mail, state } = person;
  return { id, name, displayName: displayName ?? name, mail, disabled: state === 'disabled', password: null };
}
