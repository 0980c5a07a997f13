import type { Entry, Store } from './store.ts';

type Attributes = Record<string, readonly string[]>;

const CLASSES: Readonly<Record<Entry['kind'], readonly string[]>> = {
  person: ['account', 'memberof', 'object', 'person'],
  service: ['account', 'memberof', 'object', 'service_account'],
  group: ['group', 'object'],
};

function classesOf({ kind, syncedBy, memberOf }: Entry): readonly string[] {
  const nested = kind === 'group' && memberOf.size > 0 ? ['memberof'] : [];
  const synced = syncedBy === undefined ? [] : ['sync_object'];
  return [...CLASSES[kind], ...nested, ...synced].sort();
}

/** The form of the REST API: lists of texts, absent where empty. */
export function toAttributes(store: Store, entry: Entry, sees: 'names' | 'all'): { attrs: Attributes } {
  const spns = (entries: readonly Entry[]): readonly string[] => entries.map((each) => store.spn(each));
  const members = [...entry.members].flatMap((id) => store.find(id) ?? []);
  const all: Attributes = {
    account_expire: list(entry.expire),
    account_valid_from: list(entry.validFrom),
    class: classesOf(entry),
    description: list(entry.description),
    directmemberof: spns(store.groupsOf(entry, true)),
    displayname: entry.kind === 'group' ? [] : [entry.displayname],
    mail: entry.mail,
    member: spns(members),
    memberof: spns(store.groupsOf(entry)),
    name: [entry.name],
    spn: [store.spn(entry)],
    uuid: [entry.uuid],
  };
  const seen = sees === 'all' || entry.kind !== 'person' ? Object.keys(all) : NAMES;
  return {
    attrs: Object.fromEntries(
      Object.entries(all).filter(([key, values]) => values.length > 0 && seen.includes(key)),
    ),
  };
}

const NAMES = ['class', 'name', 'spn', 'uuid'];

function list(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}

/** The form of SCIM; `wanted`: attributes beside the id, undefined for all. */
export function toScim(
  store: Store,
  entry: Entry,
  sees: 'names' | 'all',
  wanted?: readonly string[],
): Readonly<Record<string, unknown>> {
  const references = (entries: readonly Entry[]) =>
    entries.map((each) => ({ uuid: each.uuid, value: store.spn(each) }));
  const { attrs } = toAttributes(store, entry, sees);
  const all: Record<string, unknown> = {
    ...Object.fromEntries(Object.entries(attrs).map(([key, [first]]) => [key, first])),
    class: attrs['class'],
    ...(attrs['mail'] && { mail: attrs['mail'].map((value, at) => ({ primary: at === 0, value })) }),
    ...(attrs['directmemberof'] && { directmemberof: references(store.groupsOf(entry, true)) }),
    ...(attrs['memberof'] && { memberof: references(store.groupsOf(entry)) }),
  };
  delete all['uuid'];
  const kept = Object.entries(all).filter(([key]) => wanted === undefined || wanted.includes(key));
  return { schemas: [], id: entry.uuid, ...Object.fromEntries(kept) };
}

/** Whether sessions and tokens of an account count now. */
export function isLive({ expire, validFrom }: Entry, now: number): boolean {
  const ended = expire !== undefined && Date.parse(expire) <= now;
  return !ended && !(validFrom !== undefined && Date.parse(validFrom) > now);
}
