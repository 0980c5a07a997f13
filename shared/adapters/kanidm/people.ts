import * as z from 'zod';
import type { Failure, Page, Person } from '../../ports/directory.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { Caller } from '../provider-call.ts';
import { ask, asFailure, READ_MS } from './client.ts';

const Reference = z.object({ uuid: z.string() });

/** A person as SCIM shows it; attributes that the token may not read are left out. */
const Entry = z.looseObject({
  id: z.string(),
  name: z.string(),
  displayname: z.string().optional(),
  mail: z.array(z.object({ primary: z.boolean().optional(), value: z.string() })).optional(),
  directmemberof: z.array(Reference).optional(),
  account_expire: z.string().optional(),
  account_valid_from: z.string().optional(),
  class: z.array(z.string()).optional(),
});

const Entries = z.object({ totalResults: z.number(), resources: z.array(z.unknown()) });

function toPerson(entry: z.output<typeof Entry>, now: number): Person {
  const { mail = [], directmemberof = [], account_expire: expire, account_valid_from: from } = entry;
  const ended = expire !== undefined && !(Date.parse(expire) > now);
  const ahead = from !== undefined && !(Date.parse(from) <= now);
  return {
    id: entry.id,
    name: entry.name,
    displayName: entry.displayname ?? null,
    mail: (mail.find(({ primary }) => primary === true) ?? mail[0])?.value ?? null,
    state: ended || ahead ? 'disabled' : 'active',
    groups: directmemberof.map(({ uuid }) => uuid),
    origin: entry.class?.includes('sync_object') === true ? 'sync' : 'local',
  };
}

/** Reads at a time. */
export const TOGETHER = 4;

/** People by id, a few at a time. Kanidm shows what the token may not see as if it were not there. */
export async function findPeople(
  caller: Caller,
  ids: readonly string[],
  clock: Clock,
): Promise<{ readonly outcome: 'found'; readonly people: readonly Person[] } | Failure> {
  const people: Person[] = [];
  for (let from = 0; from < ids.length; from += TOGETHER) {
    const some = ids.slice(from, from + TOGETHER);
    for (const found of await Promise.all(some.map(async (id) => findPerson(caller, id, clock)))) {
      if (found.outcome === 'person') people.push(found.person);
      else if (found.outcome !== 'absent') return found;
    }
  }
  return { outcome: 'found', people };
}

export async function findPerson(
  caller: Caller,
  id: string,
  clock: Clock,
): Promise<
  { readonly outcome: 'person'; readonly person: Person } | { readonly outcome: 'absent' } | Failure
> {
  const path = `/scim/v1/Person/${encodeURIComponent(id)}`;
  const answer = await ask(caller, { method: 'GET', path, timeoutMs: READ_MS });
  if (answer.outcome === 'absent') return { outcome: 'absent' };
  if (answer.outcome !== 'ok') return asFailure(answer);
  const entry = Entry.safeParse(answer.body).data;
  return entry === undefined
    ? { outcome: 'absent' }
    : { outcome: 'person', person: toPerson(entry, clock.now()) };
}

const PAGE = 500;
const ATTRIBUTES = 'name,displayname,mail,directmemberof,account_expire,account_valid_from,class';

/** `from`: SCIM's startIndex (RFC 7644 §3.4.2.4). */
export async function listPeople(caller: Caller, from: string | null, clock: Clock): Promise<Page | Failure> {
  const start = Number(from ?? '1');
  const query = new URLSearchParams({
    filter: 'class eq "person"',
    attributes: ATTRIBUTES,
    count: String(PAGE),
    startIndex: String(start),
  });
  const path = `/scim/v1/Entry?${query.toString()}`;
  const answer = await ask(caller, { method: 'GET', path, timeoutMs: READ_MS * 3 });
  if (answer.outcome !== 'ok') return asFailure(answer);
  const page = Entries.safeParse(answer.body).data;
  if (page === undefined) return { outcome: 'failed', reason: 'not the shape of a list of SCIM' };
  const people = page.resources.flatMap((resource) => {
    const entry = Entry.safeParse(resource).data;
    return entry === undefined ? [] : [toPerson(entry, clock.now())];
  });
  const end = start + page.resources.length;
  const last = page.resources.length === 0 || end > page.totalResults;
  return { outcome: 'page', people, next: last ? null : String(end) };
}

/** Kanidm's limit of elements in a filter is 32. */
const IDS_IN_FILTER = 16;
const Found = z.object({
  entries: z.array(z.object({ attrs: z.looseObject({ uuid: z.tuple([z.string()]) }) })),
});

/** Which of the ids are entries of any kind. */
export async function whichExist(
  caller: Caller,
  ids: readonly string[],
): Promise<{ readonly outcome: 'exist'; readonly ids: ReadonlySet<string> } | Failure> {
  const exist = new Set<string>();
  for (let from = 0; from < ids.length; from += IDS_IN_FILTER) {
    const or = ids.slice(from, from + IDS_IN_FILTER).map((id) => ({ eq: ['uuid', id] }));
    const body = { filter: { or } };
    const answer = await ask(caller, { method: 'POST', path: '/v1/raw/search', body, timeoutMs: READ_MS });
    if (answer.outcome !== 'ok') return asFailure(answer);
    for (const { attrs } of Found.safeParse(answer.body).data?.entries ?? []) exist.add(attrs.uuid[0]);
  }
  return { outcome: 'exist', ids: exist };
}
