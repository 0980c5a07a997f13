import * as z from 'zod';
import { empty, identifier, join, sql, type Sql } from '../../../../shared/ports/database.ts';
import type { Column } from '../../database/catalogue.ts';
import type { ZitadelDatabase } from '../../database/open.ts';
import { BETWEEN, HEX_OF_PART, NULL, type Fingerprint, type Part } from './fingerprint.ts';
import { isSampled, SAMPLED, type HashedRow, type Selection, type Side } from './side.ts';
import { EVENTS, fullName, type ComparedTable } from './tables.ts';

const PartRow = z.object({ part: z.string(), rows: z.number(), sum: z.string() });
const Hashed = z.object({ key: z.string(), hash: z.string() });

/** A database as one of two sides: Postgres hashes and adds up, so that only sums travel. */
export async function databaseSide(zitadel: ZitadelDatabase): Promise<Side> {
  const fixed = await fixedColumns(zitadel);
  return {
    shown: zitadel.shown,
    catalogue: zitadel.catalogue,
    columnsOf: (schema, name) =>
      schema === 'projections' ? zitadel.catalogue.columnsOf(name) : (fixed.get(`${schema}.${name}`) ?? []),
    head: async (instances) => {
      const [row] = await zitadel.query(
        sql`select coalesce(max(position), 0)::text as head from eventstore.events2 where ${ofInstances(sql`instance_id`, instances)}`,
        z.object({ head: z.string() }),
      );
      return row?.head ?? '0';
    },
    totals: async (tables, selection) => {
      const found = new Map<string, Part>();
      for (const table of tables) found.set(fullName(table), await total(zitadel, table, selection));
      return found;
    },
    fingerprints: async (tables, selection) => {
      // Few groups of many rows, which the planner takes for many: it would sort them all.
      await zitadel.query(sql`select set_config('enable_sort', 'off', true)`, { parse: () => undefined });
      const found = new Map<string, Fingerprint>();
      for (const table of tables) found.set(fullName(table), await fingerprint(zitadel, table, selection));
      return found;
    },
    rows: async (parts, selection, limit) => {
      const found = new Map<string, readonly HashedRow[]>();
      for (const [table, wanted] of parts)
        found.set(fullName(table), await rowsOfParts(zitadel, table, selection, { wanted, limit }));
      return found;
    },
  };
}

/** Columns of tables outside of the projections. */
async function fixedColumns(zitadel: ZitadelDatabase): Promise<ReadonlyMap<string, readonly Column[]>> {
  const rows = await zitadel.query(
    sql`select n.nspname || '.' || c.relname as table, a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type,
          a.attgenerated <> '' as generated
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where (n.nspname, c.relname) in (('eventstore', 'events2'), ('eventstore', 'unique_constraints'), ('system', 'encryption_keys'))
        order by a.attnum`,
    z.object({ table: z.string(), name: z.string(), type: z.string(), generated: z.boolean() }),
  );
  const found = new Map<string, Column[]>();
  for (const { table, ...column } of rows) found.set(table, [...(found.get(table) ?? []), column]);
  return found;
}

const Total = z.object({ rows: z.number(), sum: z.string() });

async function total(zitadel: ZitadelDatabase, table: ComparedTable, selection: Selection): Promise<Part> {
  const hash = sql`md5(${rowText(table, selection)})`;
  const [row] = await zitadel.query(
    sql`select count(*) as rows, coalesce(sum(${valueIn(hash)}), 0)::text as sum
        from ${tableOf(table)} where ${selected(table, selection)}`,
    Total,
  );
  return { rows: row?.rows ?? 0, sum: BigInt(row?.sum ?? 0) };
}

async function fingerprint(
  zitadel: ZitadelDatabase,
  table: ComparedTable,
  selection: Selection,
): Promise<Fingerprint> {
  const rows = await zitadel.query(
    sql`select left(hash, ${HEX_OF_PART}::int) as part, count(*) as rows, sum(${valueIn(sql`hash`)})::text as sum
        from (select md5(${rowText(table, selection)}) as hash from ${tableOf(table)} where ${selected(table, selection)}) as hashed
        group by 1`,
    PartRow,
  );
  return new Map(rows.map(({ part, rows: count, sum }) => [part, { rows: count, sum: BigInt(sum) }]));
}

/** The 48 bits of a hash that are added up. */
function valueIn(hash: Sql): Sql {
  return sql`('x' || substr(${hash}, ${HEX_OF_PART + 1}::int, 12))::bit(48)::bigint`;
}

async function rowsOfParts(
  zitadel: ZitadelDatabase,
  table: ComparedTable,
  selection: Selection,
  { wanted, limit }: { readonly wanted: readonly string[]; readonly limit: number },
): Promise<readonly HashedRow[]> {
  const key = table.key.map((name) => identifier(name));
  return zitadel.query(
    sql`select key, hash from (
          select concat_ws(' ', ${join(key)}) as key, md5(${rowText(table, selection)}) as hash
          from ${tableOf(table)} where ${selected(table, selection)}) as hashed
        where left(hash, ${HEX_OF_PART}::int) = any(${wanted}) limit ${limit}::int`,
    Hashed,
  );
}

function tableOf({ schema, name }: ComparedTable): Sql {
  return identifier(schema, name);
}

/** The row as `hashOf` joins it. */
function rowText(table: ComparedTable, selection: Selection): Sql {
  const values = table.columns.map(
    (column) => sql`coalesce(${valueOf(table, column, selection)}, ${NULL}::text)`,
  );
  return sql`concat_ws(${BETWEEN}::text, ${join(values)})`;
}

/** As COPY writes it; only booleans differ in a cast to text. */
function valueOf(table: ComparedTable, { name, type }: Column, selection: Selection): Sql {
  const column = identifier(name);
  if (isSampled(table, name, selection))
    return sql`case when right(aggregate_id, 1) = ${SAMPLED} then ${column}::text end`;
  if (type === 'text') return column;
  if (type === 'boolean') return sql`case when ${column} then 't' when not ${column} then 'f' end`;
  return sql`${column}::text`;
}

function selected(table: ComparedTable, { instances, upTo, changed }: Selection): Sql {
  const has = (name: string): boolean => table.columns.some((column) => column.name === name);
  const owner = has('instance_id')
    ? sql`instance_id`
    : fullName(table) === 'projections.instances'
      ? sql`id`
      : null;
  const conditions = [owner === null ? sql`true` : ofInstances(owner, instances)];
  if (fullName(table) === EVENTS) conditions.push(sql`position <= ${upTo}::numeric`);
  else if (changed.size > 0)
    for (const name of table.key)
      conditions.push(sql`not (${identifier(name)}::text = any(${[...changed]}))`);
  return join(conditions, sql` and `);
}

function ofInstances(column: Sql, instances: readonly string[] | null): Sql {
  return instances === null ? sql`true` : sql`${column} = any(${instances})${empty}`;
}
