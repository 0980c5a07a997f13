import * as z from 'zod';
import { either, listed, orAbsent } from '../../../shared/zitadel/reader.ts';
import type { ZitadelClient } from '../api/client.ts';
import { FLOWS } from './kinds.ts';
import type { Ids, Organization } from './model.ts';
import { byName } from './order.ts';

const Action = z.object({
  id: z.string(),
  name: z.string(),
  script: z.string().default(''),
  timeout: z.string().default('0s'),
  allowedToFail: z.boolean().default(false),
});

const Typed = z.object({ id: z.string().default('') });
const Flow = z.object({
  flow: z
    .object({
      triggerActions: z
        .array(
          z.object({
            triggerType: Typed.optional(),
            actions: z.array(z.object({ name: z.string() })).default([]),
          }),
        )
        .default([]),
    })
    .prefault({}),
});

/** Scripts of Actions v1, and the triggers that call them. */
export async function readActions(
  client: ZitadelClient,
  ids: Ids,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<Pick<Organization, 'actions' | 'triggers'>> {
  const list = (): Promise<readonly z.infer<typeof Action>[]> =>
    listed(client, Action, {
      path: '/management/v1/actions/_search',
      organization: id,
      right: 'org.action.read',
    });
  const found = await either(list, () => Promise.resolve([]));
  if (found.length === 0) return { actions: [], triggers: [] };
  for (const each of found) ids.set(`action ${name}/${each.name}`, each.id);
  const flows = await Promise.all(
    FLOWS.map(async (flow) => {
      const path = `/management/v1/flows/${flow}`;
      const call = { method: 'GET', path, organization: id, right: 'org.flow.read' } as const;
      return [flow, await orAbsent(client.call(Flow, call))] as const;
    }),
  );
  return {
    actions: found
      .map(({ name: of, script, timeout, allowedToFail }) => ({ name: of, script, timeout, allowedToFail }))
      .sort(byName),
    triggers: flows.flatMap(([flow, read]) =>
      (read?.flow.triggerActions ?? [])
        .map(({ triggerType, actions }) => ({
          ...{ flow, trigger: triggerType?.id ?? '' },
          actions: actions.map((each) => each.name),
        }))
        .sort((one, other) => (one.trigger < other.trigger ? -1 : 1)),
    ),
  };
}
