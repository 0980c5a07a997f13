import type { Context, Hono } from 'hono';
import * as z from 'zod';
import { badValue, denied, noEntry } from './faults.ts';
import type { Parts } from './index.ts';
import { enrol, mustWrite, sight, type Actor } from './rights.ts';
import { toAttributes } from './shape.ts';
import type { Entry } from './store.ts';
import { Attrs, bodyOf, changesOf, mailOf, nameOf, personOf, timeOf } from './values.ts';

const Single = z.object({ attrs: Attrs });

/** `/v1/person` and the recycle bin. */
export function personRoutes(app: Hono, { store, tokens, syncs }: Parts): void {
  const actorOf = (c: Context): Actor => tokens.actor(c.req.header('authorization'));
  const seen = (actor: Actor, id: string): Entry => {
    const entry = store.find(id);
    if (entry?.kind !== 'person' || sight(actor) === 'nothing') throw noEntry();
    return entry;
  };
  /** A person whom the actor may change; one who is synced only in what their sync account yields. */
  const changeable = (c: Context, attributes?: readonly string[]): Entry => {
    const actor = actorOf(c);
    mustWrite(actor);
    const entry = seen(actor, c.req.param('id') ?? '');
    if (!actor.has('idm_people_admins')) throw denied();
    const yielded = syncs.get(entry.syncedBy ?? '')?.yields ?? [];
    const mine = attributes?.every((attribute) => yielded.includes(attribute)) ?? false;
    if (entry.syncedBy !== undefined && !mine) throw denied();
    return entry;
  };
  /** The same for one attribute: who may bring people on board may also let their accounts expire. */
  const attributeChangeable = (c: Context): Entry => {
    const actor = actorOf(c);
    const expiry = ['account_expire', 'account_valid_from'].includes(c.req.param('attribute') ?? '');
    if (!expiry || !actor.has('idm_people_on_boarding', 'idm_service_desk')) return changeable(c);
    mustWrite(actor);
    const entry = seen(actor, c.req.param('id') ?? '');
    if (entry.syncedBy !== undefined) throw denied();
    return entry;
  };
  /** Null where there is no such person, or the actor sees none. */
  const shown = (c: Context) => {
    const sees = sight(actorOf(c));
    const entry = store.find(c.req.param('id') ?? '');
    return sees === 'nothing' || entry?.kind !== 'person' ? null : toAttributes(store, entry, sees);
  };
  app.post('/v1/person', async (c) => {
    const actor = actorOf(c);
    const { attrs } = await bodyOf(c, Single);
    mustWrite(actor);
    if (!actor.has('idm_people_admins', 'idm_people_on_boarding')) throw denied();
    enrol(store, store.create([personOf(attrs)]));
    return c.json(null);
  });
  app.get('/v1/person', (c) => {
    const sees = sight(actorOf(c));
    return c.json(
      sees === 'nothing' ? [] : store.entries('person').map((each) => toAttributes(store, each, sees)),
    );
  });
  app.get('/v1/person/:id', (c) => c.json(shown(c)));
  app.patch('/v1/person/:id', async (c) => {
    const { attrs } = await bodyOf(c, Single);
    store.modify(changeable(c, Object.keys(attrs)), changesOf(attrs));
    return c.json(null);
  });
  app.delete('/v1/person/:id', (c) => {
    store.remove(changeable(c));
    return c.json(null);
  });
  app.get('/v1/person/:id/_attr/:attribute', (c) =>
    c.json(shown(c)?.attrs[c.req.param('attribute')] ?? null),
  );
  app.put('/v1/person/:id/_attr/:attribute', async (c) => {
    const entry = attributeChangeable(c);
    store.modify(entry, attributeOf(c.req.param('attribute'), await bodyOf(c, z.array(z.string()))));
    return c.json(null);
  });
  app.delete('/v1/person/:id/_attr/:attribute', (c) => {
    store.modify(attributeChangeable(c), attributeOf(c.req.param('attribute'), []));
    return c.json(null);
  });
  recycleBinRoutes(app, { store, actorOf });
}

function attributeOf(name: string, values: readonly string[]) {
  const [first] = values;
  switch (name) {
    case 'mail':
      return { mail: values.map(mailOf) };
    case 'account_expire':
      return { expire: first === undefined ? undefined : timeOf(first) };
    case 'account_valid_from':
      return { validFrom: first === undefined ? undefined : timeOf(first) };
    case 'displayname':
      return { displayname: first ?? '' };
    case 'name':
      return { name: nameOf(first ?? '') };
    case 'primary_credential':
      throw badValue('Credentials can not be supplied through modification - please use the IDM api');
    default:
      throw denied();
  }
}

function recycleBinRoutes(
  app: Hono,
  { store, actorOf }: Pick<Parts, 'store'> & { readonly actorOf: (c: Context) => Actor },
): void {
  const shown = (entry: Entry) => ({
    attrs: {
      class: ['account', 'memberof', 'object', 'person', 'recycled'],
      last_modified_cid: [store.changeId(entry)],
      name: [entry.name],
      uuid: [entry.uuid],
    },
  });
  const may = (c: Context): boolean => actorOf(c).has('idm_recycle_bin_admins');
  app.get('/v1/recycle_bin', (c) => c.json(may(c) ? store.allRecycled().map(shown) : []));
  app.get('/v1/recycle_bin/:id', (c) => {
    const entry = may(c) ? store.recycled(c.req.param('id')) : undefined;
    return c.json(entry === undefined ? null : shown(entry));
  });
  app.post('/v1/recycle_bin/:id/_revive', (c) => {
    mustWrite(actorOf(c));
    if (!may(c)) throw noEntry();
    store.revive(c.req.param('id'));
    return c.json(null);
  });
}
