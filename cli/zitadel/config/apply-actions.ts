import * as z from 'zod';
import { Nothing, unlessUnchanged } from '../api/client.ts';
import { known } from '../setup/plan.ts';
import { planOne, type Carrying, type Home } from './carrying.ts';
import type { Organization } from './model.ts';

/** Scripts of Actions v1, and what triggers them. */
export function planActions(
  carrying: Carrying,
  home: Home,
  there: Organization | undefined,
  { actions, triggers }: Organization,
): void {
  const { client, ids } = carrying;
  for (const action of actions) {
    const key = `action ${home.name}/${action.name}`;
    const found = there?.actions.find(({ name }) => name === action.name);
    planOne(carrying, key, found, action, async () => {
      const call = { organization: home.id(), body: action, right: 'org.action.write' };
      if (found !== undefined) {
        const path = `/management/v1/actions/${known(ids.get(key), key)}`;
        await unlessUnchanged(client.call(Nothing, { ...call, method: 'PUT', path }));
        return;
      }
      const made = await client.call(z.object({ id: z.string() }), {
        ...call,
        method: 'POST',
        path: '/management/v1/actions',
      });
      ids.set(key, made.id);
    });
  }
  for (const { flow, trigger, actions: named } of triggers) {
    const found = there?.triggers.find((each) => each.flow === flow && each.trigger === trigger);
    planOne(
      carrying,
      `trigger ${trigger} of flow ${flow} of ${home.name}`,
      found && { actions: found.actions },
      { actions: named },
      async () => {
        const actionIds = named
          .map((name) => `action ${home.name}/${name}`)
          .map((key) => known(ids.get(key), key));
        const path = `/management/v1/flows/${flow}/trigger/${trigger}`;
        const call = {
          method: 'POST',
          path,
          organization: home.id(),
          body: { actionIds },
          right: 'org.flow.write',
        } as const;
        await unlessUnchanged(client.call(Nothing, call));
      },
    );
  }
}
