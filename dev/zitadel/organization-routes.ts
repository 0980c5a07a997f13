import type { Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { FormRefused } from './rules.ts';
import { ORGANIZATION, UserRefused } from './users.ts';
import { toTimestamp } from './wire.ts';

const CreateOrganization = z.object({ name: z.string(), organizationId: z.string().optional() });
const Search = z.object({
  queries: z
    .array(
      z.object({
        idQuery: z.object({ id: z.string() }).optional(),
        nameQuery: z.object({ name: z.string() }).optional(),
      }),
    )
    .default([]),
});

export function organizationRoutes(app: Hono, { organizations, projections }: ZitadelParts): void {
  app.post('/v2/organizations', async (c) => {
    const { organizationId, name } = CreateOrganization.parse(await c.req.json());
    if (name === '' || name.length > 200)
      throw new FormRefused(
        'invalid AddOrganizationRequest.Name: value length must be between 1 and 200 runes, inclusive',
      );
    const { all } = organizations;
    if (organizationId !== undefined && all.has(organizationId))
      throw new UserRefused(409, 'Errors.Org.AlreadyExisting', 'ORG-laho2n');
    if ([...all.values()].some((each) => each.toLowerCase() === name.toLowerCase()))
      throw new UserRefused(409, "Organisation's name or id already taken", 'V3-DKcYh');
    const { aggregateId, creationDate, sequence } = organizations.create(organizationId, name);
    const details = {
      sequence: String(sequence),
      changeDate: toTimestamp(creationDate),
      resourceOwner: aggregateId,
    };
    return c.json({ details, organizationId: aggregateId }, 201);
  });
  app.post('/v2/organizations/_search', async (c) => {
    const { queries } = Search.parse(await c.req.json());
    const all = [
      [ORGANIZATION, organizations.nameOf(ORGANIZATION)] as const,
      ...projections.of('organizations').all,
    ];
    const found = all.filter(([id, name]) =>
      queries.every(
        ({ idQuery, nameQuery }) => (idQuery?.id ?? id) === id && (nameQuery?.name ?? name) === name,
      ),
    );
    if (found.length === 0) return c.json({ details: {} });
    const result = found.map(([id, name]) => ({ id, name, state: 'ORGANIZATION_STATE_ACTIVE' }));
    return c.json({ details: { totalResult: String(found.length) }, result });
  });
  for (const command of ['deactivate', 'activate'] as const) {
    app.post(`/v2/organizations/:id/${command}`, (c) =>
      c.json({ changeDate: toTimestamp(organizations[command](c.req.param('id')).creationDate) }),
    );
  }
  app.delete('/v2/organizations/:id', (c) =>
    c.json({ deletionDate: toTimestamp(organizations.remove(c.req.param('id')).creationDate) }),
  );
}
