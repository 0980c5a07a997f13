import * as z from 'zod';
import type { ZitadelReader } from './reader.ts';

const Instance = z.object({
  instance: z.object({
    id: z.string(),
    name: z.string().default(''),
    /** As the release calls itself; newer ones alone. */
    version: z.string().default(''),
    domains: z
      .array(
        z.object({
          domain: z.string(),
          primary: z.boolean().default(false),
          generated: z.boolean().default(false),
        }),
      )
      .default([]),
  }),
});

export type Instance = z.output<typeof Instance>['instance'];

export async function instanceOf(reader: ZitadelReader): Promise<Instance> {
  const path = '/admin/v1/instances/me';
  return (await reader.call(Instance, { method: 'GET', path, right: 'iam.read' })).instance;
}

const Features = z.object({
  loginV2: z.object({ required: z.boolean().default(false), baseUri: z.string().default('') }).prefault({}),
});

/** Whether people are sent to the pages of Login v2, and where they are; without `baseUri` below the API's own address. */
export async function loginV2Of(reader: ZitadelReader): Promise<z.output<typeof Features>['loginV2']> {
  const call = { method: 'GET', path: '/v2/features/instance', right: 'iam.feature.read' } as const;
  return (await reader.call(Features, call)).loginV2;
}
