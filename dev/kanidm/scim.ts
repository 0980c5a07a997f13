import type { Hono } from 'hono';
import { badValue, KanidmRefused, noEntry } from './faults.ts';
import type { Parts } from './index.ts';
import { sight } from './rights.ts';
import { toAttributes, toScim } from './shape.ts';
import type { Entry } from './store.ts';

type Test = (entry: Entry) => boolean;

/** RFC 7644 §3.4.2.2, as far as it is used: comparisons joined by `and`, those by `or`. */
function filterOf(store: Parts['store'], text: string): Test {
  const tests = text
    .split(/ or /i)
    .map((part) => part.split(/ and /i).map((each) => comparison(store, each)));
  return (entry) => tests.some((all) => all.every((test) => test(entry)));
}

const KNOWN = ['class', 'name', 'uuid', 'spn', 'displayname', 'mail'];

function comparison(store: Parts['store'], text: string): Test {
  const [, attribute = '', operator = '', value = ''] =
    /^\s*([\w.]+) (eq|sw|co|pr)(?: "([^"]*)")?\s*$/i.exec(text) ?? [];
  if (attribute === 'mail.value') throw new KanidmRefused(500, 'filtergeneration');
  if (!KNOWN.includes(attribute)) throw new KanidmRefused(400, { invalidattributename: attribute });
  if (attribute === 'mail' && operator !== 'pr') throw badValue('mail');
  return (entry) => {
    const values = toAttributes(store, entry, 'all').attrs[attribute] ?? [];
    if (operator === 'pr') return values.length > 0;
    if (operator === 'eq') return values.includes(value);
    return values.some((each) => (operator === 'sw' ? each.startsWith(value) : each.includes(value)));
  };
}

/** `/scim/v1/Person/{id}` and `/scim/v1/Entry`. */
export function scimRoutes(app: Hono, { store, tokens }: Parts): void {
  app.get('/scim/v1/Person/:id', (c) => {
    const sees = sight(tokens.actor(c.req.header('authorization')));
    const entry = store.find(c.req.param('id'));
    if (entry?.kind !== 'person' || sees === 'nothing') throw noEntry();
    return c.json(toScim(store, entry, sees));
  });
  app.get('/scim/v1/Entry', (c) => {
    const sees = sight(tokens.actor(c.req.header('authorization')));
    const { filter = '', attributes, count, startIndex = '1', sortBy } = c.req.query();
    const test = filterOf(store, filter);
    const found = sees === 'nothing' ? [] : store.entries('person').filter(test);
    if (sortBy === 'name') found.sort((a, b) => (a.name < b.name ? -1 : 1));
    const from = Number(startIndex) - 1;
    const page = count === undefined ? found : found.slice(from, from + Number(count));
    const wanted = attributes?.split(',');
    return c.json({
      schemas: [],
      totalResults: found.length,
      ...(count !== undefined && { itemsPerPage: Number(count), startIndex: Number(startIndex) }),
      resources: page.map((entry) => toScim(store, entry, sees === 'nothing' ? 'names' : sees, wanted)),
    });
  });
}
