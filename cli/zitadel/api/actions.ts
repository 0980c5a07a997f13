import * as z from 'zod';
import { Nothing, type ZitadelClient } from './client.ts';

const Target = z.object({
  id: z.string(),
  name: z.string(),
  endpoint: z.string().default(''),
  timeout: z.string().default(''),
  restWebhook: z.looseObject({ interruptOnError: z.boolean().default(false) }).optional(),
  restCall: z.looseObject({ interruptOnError: z.boolean().default(false) }).optional(),
  restAsync: z.looseObject({}).optional(),
  payloadType: z.string().default('PAYLOAD_TYPE_JSON'),
  /** Releases before 4 return it at creation alone. */
  signingKey: z.string().default(''),
});

export type Target = z.infer<typeof Target>;
export type TargetSettings = Readonly<Record<string, unknown>>;

const Total = z.object({ totalResult: z.string().default('0') }).default({ totalResult: '0' });
const Targets = z.object({ pagination: Total, targets: z.array(Target).default([]) });

const Execution = z.object({
  condition: z.looseObject({
    event: z
      .object({ event: z.string().optional(), group: z.string().optional(), all: z.boolean().optional() })
      .optional(),
  }),
  targets: z.array(z.string()).default([]),
});

export type Execution = z.infer<typeof Execution>;
const Executions = z.object({ pagination: Total, executions: z.array(Execution).default([]) });

const PAGE = 100;

async function paged<T>(
  read: (pagination: {
    readonly offset: string;
    readonly limit: number;
  }) => Promise<readonly [number, readonly T[]]>,
): Promise<readonly T[]> {
  const all: T[] = [];
  for (;;) {
    const [total, page] = await read({ offset: String(all.length), limit: PAGE });
    all.push(...page);
    if (page.length === 0 || all.length >= total) return all;
  }
}

/** Targets of Actions v2, with their signing keys. */
export function targetsOf(client: ZitadelClient): Promise<readonly Target[]> {
  return paged(async (pagination) => {
    const path = '/v2/actions/targets/search';
    const call = { method: 'POST', path, body: { pagination }, right: 'action.target.read' } as const;
    const { pagination: of, targets } = await client.call(Targets, call);
    return [Number(of.totalResult), targets];
  });
}

export function executionsOf(client: ZitadelClient): Promise<readonly Execution[]> {
  return paged(async (pagination) => {
    const path = '/v2/actions/executions/search';
    const call = { method: 'POST', path, body: { pagination }, right: 'action.execution.read' } as const;
    const { pagination: of, executions } = await client.call(Executions, call);
    return [Number(of.totalResult), executions];
  });
}

const MadeTarget = z.object({ id: z.string(), signingKey: z.string().default('') });

export function createTarget(
  client: ZitadelClient,
  body: TargetSettings,
): Promise<{ readonly id: string; readonly signingKey: string }> {
  const right = 'action.target.write';
  return client.call(MadeTarget, { method: 'POST', path: '/v2/actions/targets', body, right });
}

export async function updateTarget(client: ZitadelClient, id: string, body: TargetSettings): Promise<void> {
  const right = 'action.target.write';
  await client.call(Nothing, { method: 'POST', path: `/v2/actions/targets/${id}`, body, right });
}

/** Replaces the targets of this condition. */
export async function setExecution(
  client: ZitadelClient,
  condition: Execution['condition'],
  targets: readonly string[],
): Promise<void> {
  const body = { condition, targets };
  const right = 'action.execution.write';
  await client.call(Nothing, { method: 'PUT', path: '/v2/actions/executions', body, right });
}
