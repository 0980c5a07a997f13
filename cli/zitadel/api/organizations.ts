import * as z from 'zod';
import { either, listed } from '../../../shared/zitadel/reader.ts';
import type { ZitadelClient } from './client.ts';

const Organization = z.object({
  id: z.string(),
  name: z.string(),
  state: z.string().default(''),
  primaryDomain: z.string().default(''),
});

export type Organization = z.infer<typeof Organization>;

/** Every organisation of the instance. */
export function organizations(client: ZitadelClient): Promise<readonly Organization[]> {
  return listed(client, Organization, { path: '/v2/organizations/_search', right: 'org.read' });
}

export async function organizationNamed(
  client: ZitadelClient,
  name: string,
): Promise<Organization | undefined> {
  const queries = [{ nameQuery: { name, method: 'TEXT_QUERY_METHOD_EQUALS' } }];
  const call = { path: '/v2/organizations/_search', body: { queries }, right: 'org.read' };
  const found = await listed(client, Organization, call);
  return found.find((each) => each.name === name);
}

export async function createOrganization(client: ZitadelClient, name: string): Promise<string> {
  const right = 'org.create';
  return either(
    async () => {
      const shape = z.object({ organizationId: z.string() });
      const call = { method: 'POST', path: '/v2/organizations', body: { name }, right } as const;
      return (await client.call(shape, call)).organizationId;
    },
    async () => {
      const call = { method: 'POST', path: '/management/v1/orgs', body: { name }, right } as const;
      return (await client.call(z.object({ id: z.string() }), call)).id;
    },
  );
}

/** The organisation of the token's account. */
export async function ownOrganization(client: ZitadelClient): Promise<Organization> {
  const shape = z.object({ org: Organization });
  const call = { method: 'GET', path: '/management/v1/orgs/me', right: 'org.read' } as const;
  return (await client.call(shape, call)).org;
}
