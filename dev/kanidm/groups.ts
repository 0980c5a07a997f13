import type { Context, Hono } from 'hono';
import * as z from 'zod';
import { denied, KanidmRefused, noEntry } from './faults.ts';
import type { Parts } from './index.ts';
import { enrol, mustWrite, RIGHTS } from './rights.ts';
import { toAttributes } from './shape.ts';
import type { Entry } from './store.ts';
import { Attrs, bodyOf, nameOf, uuidOf } from './values.ts';

/** `/v1/group`, and `/v1/self` of a service account. */
export function groupRoutes(app: Hono, { store, tokens }: Parts): void {
  const actorOf = (c: Context) => tokens.actor(c.req.header('authorization'));
  /** Groups that give rights are changed by the built-in administrators alone. */
  const changeable = (c: Context): Entry => {
    const actor = actorOf(c);
    mustWrite(actor);
    const group = store.find(c.req.param('id') ?? '');
    const right = RIGHTS.some((name) => name === group?.name);
    if (group?.kind !== 'group' || right || !actor.has('idm_group_admins')) throw noEntry();
    return group;
  };
  app.get('/v1/self', (c) => {
    const { account } = actorOf(c);
    return c.json({ youare: toAttributes(store, account, 'all') });
  });
  app.post('/v1/group', async (c) => {
    const actor = actorOf(c);
    const { attrs } = await bodyOf(c, z.object({ attrs: Attrs }));
    mustWrite(actor);
    if (!actor.has('idm_group_admins') || attrs['displayname'] !== undefined) throw denied();
    const { name: [name = ''] = [], uuid: [uuid] = [], description: [description] = [], member = [] } = attrs;
    const [group] = store.create([
      {
        kind: 'group',
        name: nameOf(name),
        description,
        ...(uuid !== undefined && { uuid: uuidOf(uuid) }),
      },
    ]);
    if (group !== undefined) joinOrUndo(group, member);
    return c.json(null);
  });
  const joinOrUndo = (group: Entry, member: readonly string[]): void => {
    try {
      store.join(group, member);
    } catch (error) {
      store.remove(group);
      throw error;
    }
  };
  app.get('/v1/group/:id', (c) => {
    const group = actorOf(c).has('idm_group_admins') ? store.find(c.req.param('id')) : undefined;
    return c.json(group?.kind === 'group' ? toAttributes(store, group, 'all') : null);
  });
  app.delete('/v1/group/:id', (c) => {
    store.remove(changeable(c));
    return c.json(null);
  });
  app.patch('/v1/group/:id', async (c) => {
    const { attrs } = await bodyOf(c, z.object({ attrs: Attrs }));
    if (attrs['displayname'] !== undefined) throw denied();
    store.modify(changeable(c), { name: nameOf(attrs['name']?.[0] ?? '') });
    return c.json(null);
  });
  app.put('/v1/group/:id/_attr/:attribute', async (c) => {
    const values = await bodyOf(c, z.array(z.string()));
    const group = changeable(c);
    const attribute = c.req.param('attribute');
    if (attribute === 'description') store.modify(group, { description: values[0] });
    else if (attribute === 'member') {
      store.leave(group, [...group.members]);
      store.join(group, values);
    } else throw denied();
    return c.json(null);
  });
  app.post('/v1/group/:id/_attr/member', async (c) => {
    const ids = await bodyOf(c, z.array(z.string()));
    if (ids.length === 0) throw new KanidmRefused(400, 'emptyrequest');
    store.join(changeable(c), ids);
    return c.json(null);
  });
  app.delete('/v1/group/:id/_attr/member', async (c) => {
    store.leave(changeable(c), await bodyOf(c, z.array(z.string())));
    return c.json(null);
  });
  app.get('/v1/group/:id/_attr/member', (c) => {
    const group = actorOf(c).has('idm_group_admins') ? store.find(c.req.param('id')) : undefined;
    if (group?.kind !== 'group') return c.json(null);
    return c.json([...group.members].flatMap((id) => store.find(id) ?? []).map((each) => store.spn(each)));
  });
}

/** A service account in these groups, as `idm_admin` would make it. */
export function serviceAccount(store: Parts['store'], name: string, groups: readonly string[]): Entry {
  const [account] = store.create([{ kind: 'service', name }]);
  if (account === undefined) throw new Error('an account was made and is not there');
  enrol(store, [account]);
  for (const each of groups) {
    const group = store.find(each);
    if (group === undefined) throw new Error(`there is no group ${each}`);
    store.join(group, [account.uuid]);
  }
  return account;
}
