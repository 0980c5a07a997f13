import type { Catalogue, Column } from '../../database/catalogue.ts';

/** A table that both sides are compared by. */
export interface ComparedTable {
  readonly schema: string;
  /** With its number, where it has one. */
  readonly name: string;
  /** Those that both sides have, in the order of their names. */
  readonly columns: readonly Column[];
  /** What names a row; ids of what it belongs to among them. */
  readonly key: readonly string[];
}

interface Wanted {
  readonly projection: string;
  readonly part?: string;
  readonly key: readonly string[];
}

const of = (projection: string, ...key: readonly string[]): Wanted => ({ projection, key });
const part = (projection: string, name: string, ...key: readonly string[]): Wanted => ({
  projection,
  part: name,
  key,
});

/** What a copy must hold as its original does: people, what they may do, and what tokens and sign-in need. */
const PROJECTIONS: readonly Wanted[] = [
  of('instances', 'id'),
  of('instance_domains', 'instance_id', 'domain'),
  of('instance_features', 'instance_id', 'key'),
  of('orgs', 'id'),
  of('org_domains', 'org_id', 'domain'),
  of('users', 'id'),
  part('users', 'humans', 'user_id'),
  part('users', 'machines', 'user_id'),
  part('users', 'notifications', 'user_id'),
  part('login_names', 'users', 'id'),
  part('login_names', 'domains', 'resource_owner', 'name'),
  part('login_names', 'policies', 'resource_owner'),
  of('instance_members', 'id', 'user_id'),
  of('org_members', 'org_id', 'user_id'),
  of('project_members', 'project_id', 'user_id'),
  of('project_grant_members', 'project_id', 'grant_id', 'user_id'),
  of('projects', 'id'),
  of('project_roles', 'project_id', 'role_key'),
  of('apps', 'id', 'project_id'),
  part('apps', 'api_configs', 'app_id'),
  part('apps', 'oidc_configs', 'app_id'),
  part('apps', 'saml_configs', 'app_id'),
  of('personal_access_tokens', 'id', 'user_id'),
  of('authn_keys', 'id', 'aggregate_id'),
  of('user_grants', 'id', 'user_id'),
  of('user_metadata', 'user_id', 'key'),
  of('idp_user_links', 'idp_id', 'external_user_id', 'user_id'),
  of('login_policies', 'aggregate_id'),
  of('domain_policies', 'id'),
  of('web_keys', 'key_id'),
  of('targets', 'id'),
];

export const EVENTS = 'eventstore.events2';

/** Tables whose names no release changes. */
const FIXED = [
  { schema: 'eventstore', name: 'events2', key: ['aggregate_type', 'aggregate_id', 'sequence'] },
  { schema: 'eventstore', name: 'unique_constraints', key: ['unique_type', 'unique_field'] },
  { schema: 'system', name: 'encryption_keys', key: ['id'] },
] as const;

export function fullName({ schema, name }: Pick<ComparedTable, 'schema' | 'name'>): string {
  return `${schema}.${name}`;
}

/** A table of this side, and the same of the other; null: the other side has none. */
export interface Pair {
  readonly here: ComparedTable;
  readonly there: ComparedTable | null;
}

/** Columns of a table, by schema and name; empty where it is not there. */
export type ColumnsOf = (schema: string, name: string) => readonly Column[];

export interface TableSource {
  readonly catalogue: Pick<Catalogue, 'nameOf'>;
  readonly columnsOf: ColumnsOf;
}

export function pairsOf(here: TableSource, there: TableSource): readonly Pair[] {
  const projections = PROJECTIONS.flatMap(({ projection, part: name, key }) => {
    const [own, other] = [here, there].map(({ catalogue }) => catalogue.nameOf(projection, name));
    return own === null || own === undefined
      ? []
      : [pairOf(here, there, { schema: 'projections', key }, own, other ?? null)];
  });
  return [...FIXED.map((table) => pairOf(here, there, table, table.name, table.name)), ...projections];
}

function pairOf(
  here: TableSource,
  there: TableSource,
  { schema, key }: Pick<ComparedTable, 'schema' | 'key'>,
  own: string,
  other: string | null,
): Pair {
  const ownColumns = here.columnsOf(schema, own).filter(({ generated }) => !generated);
  const otherColumns = other === null ? [] : there.columnsOf(schema, other);
  const common = ownColumns
    .filter(({ name }) => otherColumns.some((each) => each.name === name && !each.generated))
    .toSorted((one, next) => (one.name < next.name ? -1 : 1));
  const present = key.filter((name) => common.some((column) => column.name === name));
  const table = { schema, columns: common, key: present };
  return {
    here: { ...table, name: own },
    there: other === null || common.length === 0 ? null : { ...table, name: other },
  };
}
