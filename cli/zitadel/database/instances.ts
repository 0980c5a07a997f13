import * as z from 'zod';
import { sql } from '../../../shared/ports/database.ts';
import { Failure, UsageError } from '../../failure.ts';
import type { Catalogue, Reader } from './catalogue.ts';

const Instance = z.object({
  id: z.string(),
  name: z.string(),
  default_org_id: z.string(),
  /** The primary one first. */
  domains: z.array(z.string()),
});

export type Instance = z.output<typeof Instance>;

/** In order of their age. Throws Failure where there is none. */
export async function readInstances(reader: Reader, catalogue: Catalogue): Promise<readonly Instance[]> {
  const instances = await reader.query(
    sql`select i.id, i.name, i.default_org_id,
          array(select d.domain from ${catalogue.table('instance_domains')} d where d.instance_id = i.id
                order by d.is_primary desc, d.domain) as domains
        from ${catalogue.table('instances')} i order by i.creation_date, i.id`,
    Instance,
  );
  if (instances.length === 0)
    throw new Failure('the database holds no instance of Zitadel: was it ever set up?');
  return instances;
}

/**
 * The one instance, or that of this id or domain, in any case. Throws UsageError with a list when several are there and none is
 * named, Failure with the list when it is not among them.
 */
export function chosenInstance(instances: readonly Instance[], wanted: string | undefined): Instance {
  const [only, ...others] = instances;
  if (wanted === undefined) {
    if (only !== undefined && others.length === 0) return only;
    throw new UsageError(
      `the database holds several instances: name one by --instance\n${listOf(instances)}`,
    );
  }
  const domain = wanted.toLowerCase();
  const found = instances.find(
    ({ id, domains }) => id === wanted || domains.some((each) => each.toLowerCase() === domain),
  );
  if (found !== undefined) return found;
  throw new Failure(`the database holds no instance ${wanted}. It holds:\n${listOf(instances)}`);
}

function listOf(instances: readonly Instance[]): string {
  return instances
    .map(
      ({ id, name, domains }) =>
        `  ${id}  ${name}  ${domains.length === 0 ? 'no domain' : domains.join(', ')}`,
    )
    .join('\n');
}
