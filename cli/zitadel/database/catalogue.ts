import * as z from 'zod';
import { identifier, sql, type Sql } from '../../../shared/ports/database.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { Failure } from '../../failure.ts';

export type Reader = Pick<DatabaseSession, 'query'>;

/** Where Zitadel keeps what it derives from the event store. */
const SCHEMA = 'projections';

/** The tables of a database of Zitadel. The numbers in names of projections change with releases, so they are looked up. */
export interface Catalogue {
  /**
   * `projections.users14` for `users`, `projections.users14_humans` for `users` and `humans`.
   * Throws Failure that names it when there is none.
   */
  table(projection: string, part?: string): Sql;
  /** `users14` for `users`, also where a projection consists of its parts alone; null when there is none. */
  versionOf(projection: string): string | null;
  /** Without the schema; null when there is no such table. */
  nameOf(projection: string, part?: string): string | null;
  /** Columns of a table by the name that `nameOf` returns, in their order; empty for a table that is not there. */
  columnsOf(name: string): readonly Column[];
}

export interface Column {
  readonly name: string;
  /** As Postgres writes it: `text[]`, `timestamp with time zone`. */
  readonly type: string;
  readonly generated: boolean;
}

const Relation = z.object({
  name: z.string(),
  columns: z.array(z.string()),
  types: z.array(z.string()),
  generated: z.array(z.boolean()),
});

/**
 * Reads the catalogue. Older projections stay behind after upgrades: the newest that Zitadel keeps a position of is the one in use.
 * Throws Failure when this is no database of Zitadel.
 */
export async function readCatalogue(session: Reader): Promise<Catalogue> {
  const relations = await session.query(
    sql`select c.relname as name, json_agg(a.attname order by a.attnum) as columns,
          json_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum) as types,
          json_agg(a.attgenerated <> '' order by a.attnum) as generated
        from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = to_regnamespace(${SCHEMA}) and c.relkind in ('r', 'p', 'v', 'm')
        group by c.relname`,
    Relation,
  );
  const missing = await missingOf(session);
  if (missing.length > 0)
    throw new Failure(`this is no database of Zitadel: it has no ${missing.join(', ')}`);
  const inUse = await session.query(
    sql`select distinct projection_name as name from projections.current_states`,
    z.object({ name: z.string() }),
  );
  const known = new Set(inUse.map(({ name }) => name));
  return catalogueOf(relations, (name) => known.has(`${SCHEMA}.${name}`));
}

/** What every release since 2.34 has. */
const ALWAYS = ['eventstore.events2', 'projections.current_states', 'projections.instances'];

async function missingOf(session: Reader): Promise<string[]> {
  const rows = await session.query(
    sql`select name from unnest(${ALWAYS}::text[]) as name where to_regclass(name) is null`,
    z.object({ name: z.string() }),
  );
  return rows.map(({ name }) => name);
}

/** `inUse`: whether Zitadel keeps a position of this projection. */
export function catalogueOf(
  relations: readonly z.output<typeof Relation>[],
  inUse: (name: string) => boolean,
): Catalogue {
  const columns = new Map(
    relations.map(({ name, ...of }) => [
      name,
      of.columns.map((column, at) => ({
        name: column,
        type: of.types[at] ?? '',
        generated: of.generated[at] ?? false,
      })),
    ]),
  );
  const names = [...columns.keys()];
  const versions = new Map<string, string | null>();
  const versionOf = (projection: string): string | null => {
    const before = versions.get(projection);
    if (before !== undefined) return before;
    const version = newest(names, projection, inUse);
    versions.set(projection, version);
    return version;
  };
  const nameOf = (projection: string, part?: string): string | null => {
    const version = versionOf(projection);
    if (version === null) return null;
    if (part === undefined) return columns.has(version) ? version : null;
    return newest(names, `${version}_${part}`, inUse);
  };
  return {
    versionOf,
    nameOf,
    table: (projection, part) => {
      const name = nameOf(projection, part);
      if (name !== null) return identifier(SCHEMA, name);
      const wanted = `${projection}<number>${part === undefined ? '' : `_${part}`}`;
      throw new Failure(
        `the database has no projection ${SCHEMA}.${wanted}: this release of Zitadel is not known here`,
      );
    },
    columnsOf: (name) => columns.get(name) ?? [],
  };
}

/** The name with the highest number, of those in use where any is. A projection may consist of its parts alone. */
function newest(
  names: readonly string[],
  projection: string,
  inUse: (name: string) => boolean,
): string | null {
  const pattern = new RegExp(`^(${projection}(\\d*))(?:_[a-z].*)?$`);
  const found = new Map<string, number>();
  for (const name of names) {
    const [, base, digits] = pattern.exec(name) ?? [];
    if (base !== undefined) found.set(base, Number(digits));
  }
  const ordered = [...found].sort(([, a], [, b]) => b - a).map(([name]) => name);
  return ordered.find(inUse) ?? ordered[0] ?? null;
}
