import { type Execution, type Target, executionsOf, targetsOf } from '../../../shared/zitadel/actions.ts';
import { createTarget, setExecution, updateTarget } from '../api/actions.ts';
import { Failure } from '../../failure.ts';
import { Refused } from '../api/client.ts';
import type { TargetWanted } from './file.ts';
import { differences, known, Plan, type Setup } from './plan.ts';

const KEYS = 'WEBHOOK_SIGNING_KEYS';
const WEBHOOK_PATH = '/webhooks/zitadel';

/** Targets of Actions v2, and an execution for each event. */
export async function eventsPart({ client, wanted, out }: Setup): Promise<Plan> {
  const plan = new Plan();
  if (wanted.targets.length === 0) return plan;
  const [targets, executions] = await Promise.all([targetsOf(client), executionsOf(client)]).catch(
    withoutActions,
  );
  const planned = new Map(executions.flatMap((each) => byEvent(each)));
  for (const target of wanted.targets) {
    const what = `target ${target.name}`;
    const settings = settingsOf(target, wanted.publicUrl);
    const found = targets.find(({ name }) => name === target.name);
    let id = found?.id;
    if (found === undefined) {
      plan.secrets.set(KEYS, []);
      plan.make(what, async () => {
        const made = await createTarget(client, settings);
        id = made.id;
        await out.keepAmong(KEYS, made.signingKey);
      });
    } else {
      planFound({ client, plan }, what, found, settings);
    }
    for (const event of target.events)
      planExecution({ client, plan }, event, planned, executions, {
        id: () => known(id, what),
        found: found?.id,
        name: target.name,
      });
  }
  return plan;
}

interface Place {
  readonly client: Setup['client'];
  readonly plan: Plan;
}

function planFound(
  { client, plan }: Place,
  what: string,
  found: Target,
  settings: ReturnType<typeof settingsOf>,
): void {
  const { signingKey } = found;
  const differing = differences(
    { ...found, restAsync: found.restAsync !== undefined },
    { ...settings, restAsync: true },
  );
  if (differing.length === 0) plan.kept.push(what);
  else plan.change(what, differing.join(', '), () => updateTarget(client, found.id, settings));
  if (signingKey === '')
    plan.unchecked.push(`${KEYS}: this release does not show the signing key of ${what}`);
  else plan.values.push((to) => to.keepAmong(KEYS, signingKey));
}

function settingsOf({ name, endpoint, timeout }: TargetWanted, publicUrl = '') {
  // Asynchronous: no sign-in waits for the gateway. JSON: JWTs of events have never arrived.
  return {
    ...{ name, restAsync: {}, timeout, payloadType: 'PAYLOAD_TYPE_JSON' },
    endpoint: endpoint ?? publicUrl.replace(/\/+$/, '') + WEBHOOK_PATH,
  };
}

function byEvent({ condition: { event }, targets }: Execution): (readonly [string, readonly string[]])[] {
  return event?.event === undefined ? [] : [[event.event, targets]];
}

interface TargetOf {
  readonly id: () => string;
  /** Undefined: it is not there yet. */
  readonly found: string | undefined;
  readonly name: string;
}

/** `planned`: targets of each event, those of earlier targets of the file included. */
function planExecution(
  { client, plan }: Place,
  event: string,
  planned: Map<string, readonly string[]>,
  executions: readonly Execution[],
  { id, found, name }: TargetOf,
): void {
  const what = `execution of ${event} for ${name}`;
  const exact = planned.get(event);
  if (found !== undefined && exact?.includes(found) === true) {
    plan.kept.push(what);
    return;
  }
  const hidden = exact === undefined ? hiddenBy(event, executions) : [];
  if (hidden.length > 0)
    plan.notes.push(
      `${event} had reached ${hidden.length} targets by a group; an exact event hides its group, so they are named beside ${name}`,
    );
  // Executions of one event replace each other.
  const others = exact ?? hidden;
  planned.set(event, found === undefined ? others : [...others, found]);
  const run = (): Promise<void> => {
    const all = [...new Set([...(planned.get(event) ?? others), id()])];
    planned.set(event, all);
    return setExecution(client, { event: { event } }, all);
  };
  // Each event is an aggregate of its own, so that those of one target may be set at the same time.
  const group = `executions ${name}`;
  if (exact === undefined) plan.make(what, run, group);
  else plan.change(what, 'a further target', run, group);
}

/** Targets that the longest group, else the one for all, would have called. */
function hiddenBy(event: string, executions: readonly Execution[]): readonly string[] {
  const groups = executions
    .flatMap(({ condition, targets }) => {
      const { group, all } = condition.event ?? {};
      if (all === true) return [{ prefix: '', targets }];
      return group !== undefined && event.startsWith(`${group.replace(/\.\*$/, '')}.`)
        ? [{ prefix: group, targets }]
        : [];
    })
    .sort((one, other) => other.prefix.length - one.prefix.length);
  return groups[0]?.targets ?? [];
}

function withoutActions(error: unknown): never {
  if (error instanceof Refused && error.unknownRoute)
    throw new Failure(
      'this release of Zitadel has no Actions v2 (it came with version 4; before, behind the feature flag `actions`): leave `targets` out, and see docs/zitadel-setup.md for Actions v1',
      { cause: error },
    );
  throw error;
}
