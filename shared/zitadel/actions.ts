import * as z from 'zod';
import { paginated, type ZitadelReader } from './reader.ts';

const Target = z.object({
  id: z.string(),
  name: z.string().default(''),
  endpoint: z.string().default(''),
  timeout: z.string().default(''),
  restWebhook: z.looseObject({ interruptOnError: z.boolean().default(false) }).optional(),
  restCall: z.looseObject({ interruptOnError: z.boolean().default(false) }).optional(),
  restAsync: z.looseObject({}).optional(),
  payloadType: z.string().default('PAYLOAD_TYPE_JSON'),
  /** A secret. Empty: releases before 4 return it at creation alone. */
  signingKey: z.string().default(''),
});

export type Target = z.infer<typeof Target>;

const Execution = z.object({
  condition: z
    .looseObject({
      event: z
        .object({ event: z.string().optional(), group: z.string().optional(), all: z.boolean().optional() })
        .optional(),
    })
    .prefault({}),
  targets: z.array(z.string()).default([]),
});

export type Execution = z.infer<typeof Execution>;

/** Targets of Actions v2, with their signing keys. */
export function targetsOf(reader: ZitadelReader): Promise<readonly Target[]> {
  const path = '/v2/actions/targets/search';
  return paginated(reader, Target, { path, member: 'targets', right: 'action.target.read' });
}

export function executionsOf(reader: ZitadelReader): Promise<readonly Execution[]> {
  const path = '/v2/actions/executions/search';
  return paginated(reader, Execution, { path, member: 'executions', right: 'action.execution.read' });
}
