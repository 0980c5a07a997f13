import * as z from 'zod';
import { pause } from '../../../shared/ports/runtime.ts';
import type { Kubectl } from '../../children/kubectl.ts';
import { Failure } from '../../failure.ts';
import { note } from '../../terminal.ts';
import type { Run, Workload } from './run.ts';

const Labels = z.record(z.string(), z.string()).default({});
const Workloads = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: z.object({ name: z.string(), labels: Labels }),
      spec: z.object({
        replicas: z.number().default(1),
        selector: z.object({ matchLabels: Labels }),
        template: z.object({
          spec: z.object({ containers: z.array(z.object({ image: z.string().default('') })).default([]) }),
        }),
      }),
    }),
  ),
});
type Item = z.output<typeof Workloads>['items'][number];

const NAME = 'app.kubernetes.io/name';
const IMAGE = { zitadel: /(?:^|\/)zitadel(?:[:@]|$)/, login: /(?:^|\/)zitadel-login(?:[:@]|$)/ };
const NAMED = { zitadel: /^zitadel$/, login: /^zitadel-login(?:-v2)?$/ };

export interface ClusterChoice {
  /** `kind/name`; absent: found by name, label or image. */
  readonly zitadel?: string | undefined;
  readonly login?: string | undefined;
}

/** What runs Zitadel and Login v2 in the namespace. Throws Failure when no Zitadel is found, or kubectl is refused. */
export async function findWorkloads(
  kubectl: Kubectl,
  choice: ClusterChoice,
): Promise<{ readonly zitadel: readonly Workload[]; readonly login: readonly Workload[] }> {
  const { items } = await kubectl.read(['get', 'deployments,statefulsets'], Workloads);
  const login = items.filter((item) => isChosen(item, 'login', choice.login));
  const zitadel = items.filter((item) => !login.includes(item) && isChosen(item, 'zitadel', choice.zitadel));
  if (zitadel.length === 0)
    throw new Failure(
      `kubectl finds no Zitadel${choice.zitadel === undefined ? '' : ` named ${choice.zitadel}`} in the namespace: is KUBE_NAMESPACE right? --zitadel deployment/NAME names it`,
    );
  return { zitadel: zitadel.map(workloadOf), login: login.map(workloadOf) };
}

function isChosen(item: Item, part: 'zitadel' | 'login', chosen: string | undefined): boolean {
  const { metadata, spec } = item;
  if (chosen !== undefined) return chosen.toLowerCase() === nameOf(item);
  const names = [metadata.name, metadata.labels[NAME] ?? ''];
  return (
    names.some((name) => NAMED[part].test(name)) ||
    spec.template.spec.containers.some(({ image }) => IMAGE[part].test(image))
  );
}

function nameOf({ kind, metadata }: Item): string {
  return `${kind.toLowerCase()}/${metadata.name}`;
}

function workloadOf(item: Item): Workload {
  const { matchLabels } = item.spec.selector;
  const selector = Object.entries(matchLabels).map(([name, value]) => `${name}=${value}`);
  return { name: nameOf(item), selector: selector.join(','), replicas: item.spec.replicas };
}

const Pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ phase: z.string().default('') }).default({ phase: '' }),
    }),
  ),
});
/** Pods of Jobs with the same labels stay behind: nothing runs in them. */
const ENDED = ['Succeeded', 'Failed'];
const LOOK_MS = 1_000;

/** Scales to 0, and waits until the pods are gone. Throws Failure with those that are not, in time. */
export async function scaleDown({ kubectl, facts, waitMs, signal }: Run): Promise<void> {
  if (kubectl === null) return;
  const all = [...facts.login, ...facts.zitadel];
  for (const { name } of all) await kubectl.run(['scale', name, '--replicas=0']);
  const until = Date.now() + waitMs;
  for (;;) {
    const left: string[] = [];
    for (const { selector } of all) {
      const { items } = await kubectl.read(['get', 'pods', `--selector=${selector}`], Pods);
      const running = items.filter(({ status }) => !ENDED.includes(status.phase));
      left.push(...running.map(({ metadata }) => metadata.name));
    }
    if (left.length === 0) return;
    if (Date.now() > until) throw new Failure(`pods do not end: ${left.slice(0, 5).join(', ')}`);
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

/** Scales to what there was, one after the other, each when the one before is there. */
export async function scaleUp({ kubectl, waitMs }: Run, workloads: readonly Workload[]): Promise<void> {
  if (kubectl === null) return;
  for (const { name, replicas } of workloads) {
    // Whoever stopped it beforehand wants it back too.
    if (replicas === 0) note(`  ${name} had no replicas before: starting one`);
    await kubectl.run(['scale', name, `--replicas=${Math.max(1, replicas)}`]);
    await rolledOut(kubectl, name, waitMs);
  }
}

/** Pods take a changed secret when they start. */
export async function restart({ kubectl, waitMs }: Run, workloads: readonly Workload[]): Promise<void> {
  if (kubectl === null) return;
  for (const { name } of workloads) {
    await kubectl.run(['rollout', 'restart', name]);
    await rolledOut(kubectl, name, waitMs);
  }
}

async function rolledOut(kubectl: Kubectl, name: string, waitMs: number): Promise<void> {
  await kubectl.run(['rollout', 'status', name, `--timeout=${Math.round(waitMs / 1_000)}s`], {
    timeoutMs: waitMs + 30_000,
  });
}
