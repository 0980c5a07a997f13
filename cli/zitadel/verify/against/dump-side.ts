import { catalogueOf } from '../../database/catalogue.ts';
import { inspectDump, type Dump, type Further } from '../../dump/inspect.ts';
import { openDump } from '../../dump/source.ts';
import { isLess } from '../projections.ts';
import { FingerprintBuilder, hashOf, HEX_OF_PART, totalOf, type Fingerprint } from './fingerprint.ts';
import { isSampled, SAMPLED, type HashedRow, type Selection, type Side } from './side.ts';
import { EVENTS, fullName, type ComparedTable } from './tables.ts';

type Values = readonly (string | null)[];

/**
 * A dump as one of two sides, read as it is and never restored: once for what it holds, once for its rows, and once more for rows
 * that differ. Throws Failure when it is cut, or no dump of Zitadel.
 */
export async function dumpSide(file: string): Promise<Side> {
  const source = await openDump(file);
  const columns = new Map<string, readonly string[]>();
  const heads = new Map<string, string>();
  const dump: Dump = await inspectDump(source, {}, (table, names) => {
    columns.set(table, names);
    if (table !== EVENTS) return null;
    const [instance, position] = [names.indexOf('instance_id'), names.indexOf('position')];
    return (values) => {
      const [of, at] = [values[instance] ?? '', values[position] ?? '0'];
      if (isLess(heads.get(of) ?? '0', at)) heads.set(of, at);
    };
  });
  const relations = [...columns].flatMap(([table, names]) => relationOf(table, names));
  const read = (further: Further): Promise<Dump> => inspectDump(source, {}, further);
  // One pass makes both: totals, and the parts of the tables that differ.
  let made: { readonly of: Selection; readonly found: ReadonlyMap<string, Fingerprint> } | undefined;
  const fingerprints: Side['fingerprints'] = async (tables, selection) => {
    if (made?.of === selection) return made.found;
    const builders = new Map(tables.map((table) => [fullName(table), new FingerprintBuilder()]));
    await read(
      eachRow(tables, selection, (table, hash) => {
        builders.get(fullName(table))?.add(hash);
      }),
    );
    made = { of: selection, found: new Map([...builders].map(([name, builder]) => [name, builder.done()])) };
    return made.found;
  };
  return {
    shown: dump.source.file,
    catalogue: catalogueOf(relations, () => false),
    columnsOf: (schema, name) =>
      (columns.get(`${schema}.${name}`) ?? []).map((column) => ({
        name: column,
        type: '',
        generated: false,
      })),
    head: async (instances) =>
      [...heads].reduce(
        (head, [instance, at]) => ((instances?.includes(instance) ?? true) && isLess(head, at) ? at : head),
        '0',
      ),
    totals: async (tables, selection) => {
      const found = await fingerprints(tables, selection);
      return new Map([...found].map(([name, each]) => [name, totalOf(each)]));
    },
    fingerprints,
    rows: async (parts, selection, limit) => {
      const found = new Map<string, HashedRow[]>([...parts.keys()].map((table) => [fullName(table), []]));
      const wanted = new Map([...parts].map(([table, of]) => [fullName(table), new Set(of)]));
      await read(
        eachRow([...parts.keys()], selection, (table, hash, key) => {
          const rows = found.get(fullName(table)) ?? [];
          if (rows.length >= limit || wanted.get(fullName(table))?.has(hash.slice(0, HEX_OF_PART)) !== true)
            return;
          rows.push({ key: key(), hash });
        }),
      );
      return found;
    },
  };
}

function relationOf(table: string, names: readonly string[]) {
  const [schema, name] = table.split('.');
  if (schema !== 'projections' || name === undefined) return [];
  return [{ name, columns: [...names], types: names.map(() => ''), generated: names.map(() => false) }];
}

type TakeHash = (table: ComparedTable, hash: string, key: () => string) => void;

/** Hashes rows of the tables that are selected. */
function eachRow(tables: readonly ComparedTable[], selection: Selection, take: TakeHash): Further {
  const wanted = new Map(tables.map((table) => [fullName(table), table]));
  return (name, names) => {
    const table = wanted.get(name);
    if (table === undefined) return null;
    const at = (column: string): number => names.indexOf(column);
    const normalise = table.columns.map((column) => normaliser(table, column, selection, at('aggregate_id')));
    const places = table.columns.map((column) => at(column.name));
    const isSelected = selector(table, names, selection);
    return (values) => {
      if (!isSelected(values)) return;
      const texts = places.map((place, index) => normalise[index]?.(values[place] ?? null, values) ?? null);
      take(table, hashOf(texts), () => table.key.map((column) => values[at(column)] ?? '').join(' '));
    };
  };
}

type Normalise = (value: string | null, row: Values) => string | null;

function normaliser(
  table: ComparedTable,
  { name, type }: ComparedTable['columns'][number],
  selection: Selection,
  aggregate: number,
): Normalise {
  const utc = type === 'timestamp with time zone';
  const written: Normalise = (value) => (value !== null && utc ? inUtc(value) : value);
  return isSampled(table, name, selection)
    ? (value, row) => (row[aggregate]?.endsWith(SAMPLED) === true ? written(value, row) : null)
    : written;
}

const ZONED = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-])(\d\d)(?::?(\d\d))?$/;

/** A dump writes times in the zone of the session that made it. */
export function inUtc(text: string): string {
  if (text.endsWith('+00')) return text;
  const [, day, time, fraction = '', sign, hours, minutes = '00'] = ZONED.exec(text) ?? [];
  if (day === undefined || time === undefined || hours === undefined) return text;
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
  const utc = new Date(Date.parse(`${day}T${time}Z`) - offset).toISOString();
  return `${utc.slice(0, 10)} ${utc.slice(11, 19)}${fraction}+00`;
}

function selector(
  table: ComparedTable,
  names: readonly string[],
  { instances, upTo, changed }: Selection,
): (values: Values) => boolean {
  const owner = names.indexOf(fullName(table) === 'projections.instances' ? 'id' : 'instance_id');
  const position = names.indexOf('position');
  const isEvents = fullName(table) === EVENTS;
  const keys = table.key.map((column) => names.indexOf(column));
  return (values) => {
    if (instances !== null && owner !== -1 && !instances.includes(values[owner] ?? '')) return false;
    if (isEvents) return !isLess(upTo, values[position] ?? '0');
    return changed.size === 0 || !keys.some((key) => changed.has(values[key] ?? ''));
  };
}
