import * as z from 'zod';
import type { Execution } from '../../../shared/zitadel/actions.ts';
import { Nothing, type ZitadelClient } from './client.ts';

export type TargetSettings = Readonly<Record<string, unknown>>;

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
