import * as z from 'zod';
import { empty, identifier, join, sql, type Sql } from '../../../../shared/ports/database.ts';
import type { Column } from '../../database/catalogue.ts';
import type { ZitadelDatabase } from '../../database/open.ts';
import { BETWEEN, HEX_OF_PART, NULL, type Fingerprint } from './fingerprint.ts';
import { SAMPLED_DIGIT, type HashedRow, type Selection, type Side } from './side.ts';
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
    fingerprints: async (tables, selection) => {
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

async function fingerprint(
  zitadel: ZitadelDatabase,
  table: ComparedTable,
  selection: Selection,
): Promise<Fingerprint> {
  const rows = await zitadel.query(
    sql`select left(hash, ${HEX_OF_PART}::int) as part, count(*) as rows,
          sum(('x' || substr(hash, ${HEX_OF_PART + 1}::int, 12))::bit(48)::bigint)::text as sum
        from (select md5(${rowText(table, selection)}) as hash from ${tableOf(table)} where ${selected(table, selection)}) as hashed
        group by 1`,
    PartRow,
  );
  return new Map(rows.map(({ part, rows: count, sum }) => [part, { rows: count, sum: BigInt(sum) }]));
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

/** The row as `hashOf` joins it. concat() writes values as COPY does, `t` for true among them. */
function rowText(table: ComparedTable, selection: Selection): Sql {
  const values = table.columns.map((column) => {
    const value = valueOf(table, column, selection);
    return sql`coalesce(nullif(concat(${value}), ''), case when ${value} is null then ${NULL}::text else '' end)`;
  });
  return join(values, sql` || ${BETWEEN}::text || `);
}

function valueOf(table: ComparedTable, { name }: Column, { allPayloads }: Selection): Sql {
  const value = identifier(name);
  return fullName(table) === EVENTS && name === 'payload' && !allPayloads
    ? sql`case when right(position::text, 1) = ${SAMPLED_DIGIT} then ${value} end`
    : value;
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
