import type { Hono } from 'hono';
import * as z from 'zod';
import { denied, KanidmRefused } from './faults.ts';
import type { Parts } from './index.ts';
import { enrol, mustWrite, sight } from './rights.ts';
import { toAttributes } from './shape.ts';
import type { Entry } from './store.ts';
import { Attrs, bodyOf, personOf } from './values.ts';

export type Filter =
  | { readonly eq: readonly [string, string] }
  | { readonly cnt: readonly [string, string] }
  | { readonly pres: string }
  | { readonly and: readonly Filter[] }
  | { readonly or: readonly Filter[] };

const Pair = z.tuple([z.string(), z.string()]);
const Filter: z.ZodType<Filter> = z.lazy(() =>
  z.union([
    z.object({ eq: Pair }),
    z.object({ cnt: Pair }),
    z.object({ pres: z.string() }),
    z.object({ and: z.array(Filter) }),
    z.object({ or: z.array(Filter) }),
  ]),
);

const MOST_ELEMENTS = 32;

function elements(filter: Filter): number {
  const below = 'and' in filter ? filter.and : 'or' in filter ? filter.or : [];
  return 1 + below.reduce((sum, each) => sum + elements(each), 0);
}

/** `/v1/raw/create` and `/v1/raw/search`. */
export function rawRoutes(app: Hono, { store, tokens, mailIndex }: Parts): void {
  const indexed = ['class', 'name', 'uuid', 'spn', ...(mailIndex ? ['mail'] : [])];
  /** Without an index for any part of it a search would go through all entries, which is refused. */
  const isIndexed = (filter: Filter): boolean => {
    if ('and' in filter) return filter.and.some(isIndexed);
    if ('or' in filter) return filter.or.every(isIndexed);
    return 'eq' in filter
      ? indexed.includes(filter.eq[0])
      : 'pres' in filter && indexed.includes(filter.pres);
  };
  app.post('/v1/raw/create', async (c) => {
    const actor = tokens.actor(c.req.header('authorization'));
    const { entries } = await bodyOf(c, z.object({ entries: z.array(z.object({ attrs: Attrs })) }));
    mustWrite(actor);
    if (!actor.has('idm_people_admins', 'idm_people_on_boarding')) throw denied();
    enrol(store, store.create(entries.map(({ attrs }) => personOf(attrs))));
    return c.json(null);
  });
  app.post('/v1/raw/search', async (c) => {
    const actor = tokens.actor(c.req.header('authorization'));
    const { filter } = await bodyOf(c, z.object({ filter: Filter }));
    if (!isIndexed(filter)) throw new KanidmRefused(500, 'backend');
    if (elements(filter) > MOST_ELEMENTS) throw new KanidmRefused(500, 'resourcelimit');
    const sees = sight(actor);
    const groups = actor.has('idm_group_admins') ? candidates(store, filter, 'group') : [];
    const people = sees === 'nothing' ? [] : candidates(store, filter, 'person');
    const entries = [...people, ...groups].map((entry) =>
      toAttributes(store, entry, sees === 'nothing' ? 'names' : sees),
    );
    return c.json({ entries });
  });
}

/** By uuid where the filter names some, so that a search costs as many steps as it has results. */
function candidates(store: Parts['store'], filter: Filter, kind: Entry['kind']): Entry[] {
  const ids = 'or' in filter ? filter.or.flatMap(uuidIn) : uuidIn(filter);
  const named = 'or' in filter ? ids.length === filter.or.length : ids.length === 1;
  const from = named ? ids.flatMap((id) => store.find(id) ?? []) : store.entries(kind);
  return from.filter((entry) => entry.kind === kind && fits(store, entry, filter));
}

function uuidIn(filter: Filter): string[] {
  return 'eq' in filter && filter.eq[0] === 'uuid' ? [filter.eq[1]] : [];
}

function fits(store: Parts['store'], entry: Entry, filter: Filter): boolean {
  if ('and' in filter) return filter.and.every((each) => fits(store, entry, each));
  if ('or' in filter) return filter.or.some((each) => fits(store, entry, each));
  const { attrs } = toAttributes(store, entry, 'all');
  if ('pres' in filter) return (attrs[filter.pres]?.length ?? 0) > 0;
  const [attribute, value] = 'eq' in filter ? filter.eq : filter.cnt;
  const values = attrs[attribute] ?? [];
  return 'eq' in filter ? values.includes(value) : values.some((each) => each.includes(value));
}
