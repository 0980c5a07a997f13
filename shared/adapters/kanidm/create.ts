import * as z from 'zod';
import { isFailure, type Creation, type NewPerson } from '../../ports/directory.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { Caller } from '../provider-call.ts';
import { ask, asFailure, batchMs, READ_MS, WRITE_MS, type KanidmFault } from './client.ts';
import { ID_RESERVED, isReserved, kanidmName } from './names.ts';
import { findPerson, TOGETHER, whichExist } from './people.ts';

/** Creates all of them, or none. */
export type CreateAll = (people: readonly NewPerson[]) => Promise<{ readonly outcome: 'ok' } | KanidmFault>;

export interface CreateParts {
  /** Reads, and revives. */
  readonly caller: Caller;
  readonly clock: Clock;
  readonly createAll: CreateAll;
}

/** One atomic call for all; a fault that one person caused is found by halves, so that it is theirs alone. */
export async function createPeople(
  parts: CreateParts,
  people: readonly NewPerson[],
): Promise<readonly Creation[]> {
  const usable = people.filter(({ id }) => !isReserved(id));
  const made = await createUsable(parts, usable);
  if (usable.length === people.length) return made;
  const rest = made.values();
  return people.map(({ id }): Creation => (isReserved(id) ? REFUSED : (rest.next().value ?? NO_RESULT)));
}

const REFUSED: Creation = { outcome: 'refused', field: 'id', reason: ID_RESERVED };
const NO_RESULT: Creation = { outcome: 'failed', reason: 'no result' };

async function createUsable(parts: CreateParts, people: readonly NewPerson[]): Promise<readonly Creation[]> {
  const [first] = people;
  if (first === undefined) return [];
  const result = await parts.createAll(people);
  if (result.outcome === 'ok')
    return people.map(({ mail }) => ({ outcome: 'created', name: kanidmName(mail), password: 'none' }));
  if (people.length === 1) return [await creationOf(parts, first, result)];
  if (result.outcome === 'uuid-taken') return withoutExisting(parts, people);
  if (result.outcome === 'denied') return unlessFirst(parts, people, result);
  if (isFailure(result) && result.outcome !== 'failed') return people.map(() => result);
  return byHalves(parts, people);
}

/** A value can be refused in the words of a right that lacks: then what is denied to one is not to all. */
async function unlessFirst(
  parts: CreateParts,
  people: readonly NewPerson[],
  denied: Creation,
): Promise<readonly Creation[]> {
  const [first] = await createUsable(parts, people.slice(0, 1));
  if (first === undefined || first.outcome === 'denied') return people.map(() => denied);
  return [first, ...(await createUsable(parts, people.slice(1)))];
}

async function byHalves(parts: CreateParts, people: readonly NewPerson[]): Promise<readonly Creation[]> {
  const middle = Math.ceil(people.length / 2);
  const first = await createUsable(parts, people.slice(0, middle));
  return [...first, ...(await createUsable(parts, people.slice(middle)))];
}

/** What exists is read, and the rest created: so repeating a call that was done costs few more. */
async function withoutExisting(
  parts: CreateParts,
  people: readonly NewPerson[],
): Promise<readonly Creation[]> {
  const known = await whichExist(
    parts.caller,
    people.map(({ id }) => id),
  );
  if (known.outcome !== 'exist') return people.map(() => known);
  if (known.ids.size === 0) return byHalves(parts, people);
  const existing = await existingOf(parts, [...known.ids]);
  const made = await createUsable(
    parts,
    people.filter(({ id }) => !known.ids.has(id)),
  );
  const rest = made.values();
  return people.map(({ id }): Creation => existing.get(id) ?? rest.next().value ?? NO_RESULT);
}

/** Each by itself, so that one look without an answer is repeated for one person alone. */
async function existingOf(
  { caller, clock }: CreateParts,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Creation>> {
  const existing = new Map<string, Creation>();
  for (let from = 0; from < ids.length; from += TOGETHER) {
    const some = ids.slice(from, from + TOGETHER);
    const found = await Promise.all(some.map(async (id) => findPerson(caller, id, clock)));
    for (const [at, each] of found.entries()) {
      const id = some[at] ?? '';
      if (each.outcome === 'person') existing.set(id, { outcome: 'exists', person: each.person });
      else existing.set(id, each.outcome === 'absent' ? NO_PERSON : each);
    }
  }
  return existing;
}

/** A group or a service account. */
const NO_PERSON: Creation = { outcome: 'clash', fields: ['id'] };

async function creationOf(parts: CreateParts, { id }: NewPerson, fault: KanidmFault): Promise<Creation> {
  if (fault.outcome === 'clash' || fault.outcome === 'refused') return fault;
  return fault.outcome === 'uuid-taken' ? ofTaken(parts, id) : asFailure(fault);
}

async function ofTaken({ caller, clock }: CreateParts, id: string): Promise<Creation> {
  const found = await findPerson(caller, id, clock);
  if (found.outcome === 'person') return { outcome: 'exists', person: found.person };
  if (found.outcome !== 'absent') return found;
  const other = await whichExist(caller, [id]);
  if (other.outcome !== 'exist') return other;
  return other.ids.has(id) ? NO_PERSON : revive(caller, id, clock);
}

const Recycled = z.object({
  attrs: z.looseObject({ last_modified_cid: z.array(z.string()).optional() }),
});
const HELD_MS = 7 * 86_400_000;

/** Brings a deleted person back; without that right Kanidm shows an empty recycle bin. */
async function revive(caller: Caller, id: string, clock: Clock): Promise<Creation> {
  const path = `/v1/recycle_bin/${encodeURIComponent(id)}`;
  const seen = await ask(caller, { method: 'GET', path, timeoutMs: READ_MS });
  if (seen.outcome !== 'ok' && seen.outcome !== 'absent') return asFailure(seen);
  const entry = seen.outcome === 'ok' ? Recycled.safeParse(seen.body).data : undefined;
  if (entry === undefined) return { outcome: 'held', until: null };
  const revived = await ask(caller, { method: 'POST', path: `${path}/_revive`, timeoutMs: WRITE_MS });
  if (revived.outcome === 'absent') return { outcome: 'held', until: heldUntil(entry) };
  if (revived.outcome === 'clash') return revived;
  if (revived.outcome !== 'ok') return asFailure(revived);
  const found = await findPerson(caller, id, clock);
  if (found.outcome === 'person') return { outcome: 'revived', person: found.person };
  return found.outcome === 'absent' ? { outcome: 'held', until: heldUntil(entry) } : found;
}

/** The time of the last change, in nanoseconds, is the first part of a change id. */
function heldUntil({ attrs }: z.output<typeof Recycled>): Date | null {
  const nanoseconds = /^(\d{1,32})-/.exec(attrs.last_modified_cid?.[0] ?? '')?.[1];
  if (nanoseconds === undefined) return null;
  return new Date(Number(BigInt(nanoseconds) / 1_000_000n) + HELD_MS);
}

/** Local people, by the REST API. */
export function localCreation(caller: Caller): CreateAll {
  return async (people) => {
    const [only] = people;
    const single = people.length === 1 && only !== undefined;
    const answer = await ask(caller, {
      method: 'POST',
      path: single ? '/v1/person' : '/v1/raw/create',
      body: single ? { attrs: attributesOf(only) } : { entries: people.map(entryOf) },
      timeoutMs: batchMs(people.length),
    });
    return answer.outcome === 'ok' ? { outcome: 'ok' } : answer;
  };
}

function attributesOf({ id, mail, displayName }: NewPerson): Readonly<Record<string, readonly string[]>> {
  return { name: [kanidmName(mail)], displayname: [displayName.trim() || mail], mail: [mail], uuid: [id] };
}

function entryOf(person: NewPerson): { readonly attrs: Readonly<Record<string, readonly string[]>> } {
  return { attrs: { class: ['object', 'account', 'person'], ...attributesOf(person) } };
}
