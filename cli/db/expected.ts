import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Catalog } from './catalog.ts';

/** The schema of a fresh install; a test compares it with the migrations. */
export interface Expected {
  /** At 20250110000013: the schema of an adopted database. */
  readonly legacy: Catalog;
  readonly current: Catalog;
}

export async function readExpected(folder: string): Promise<Expected> {
  const read = async (name: string): Promise<Catalog> =>
    Catalog.parse(JSON.parse(await readFile(join(folder, 'schema', name), 'utf8')));
  return { legacy: await read('legacy.json'), current: await read('current.json') };
}

const NOT_NULL = ' NOT NULL';

/**
 * What the live schema lacks. Parts of an adopted database are compared by name or by effect (columns, indexes, foreign
 * keys); its types and checks are its owner's. What our migrations added must be exact.
 */
export function missingFrom(live: Catalog, { legacy, current }: Expected): string[] {
  const added = (kind: keyof Catalog): string[] => without(current[kind], legacy[kind]);
  const liveColumns = new Map(live.columns.map((line) => [nameOf(line), line]));
  return [
    ...without(namesOf(current.columns), namesOf(live.columns)).map((line) => `column ${line} is missing`),
    ...without(added('columns'), live.columns).flatMap((line) => {
      const found = liveColumns.get(nameOf(line));
      return found === undefined ? [] : [columnDifference(line, found)];
    }),
    ...without(current.indexes, live.indexes).map((line) => `index on ${line} is missing`),
    ...without([...foreignKeys(current), ...added('constraints')], live.constraints).map(
      (line) => `constraint on ${line} is missing or not validated`,
    ),
    ...without(current.functions, live.functions).map((line) => `function ${line} is missing`),
  ];
}

/** What a database to be adopted lacks. */
export function missingOfLegacy(live: Catalog, { legacy }: Expected): string[] {
  return missingFrom(live, { legacy, current: legacy });
}

function columnDifference(wanted: string, found: string): string {
  const name = nameOf(wanted);
  if (found === `${wanted}${NOT_NULL}`) return `column ${name} is${NOT_NULL}, but must allow null`;
  if (wanted === `${found}${NOT_NULL}`) return `column ${name} allows null, but must be${NOT_NULL}`;
  return `column ${name} is not ${wanted.slice(name.length + 1)}`;
}

function without(wanted: readonly string[], found: readonly string[]): string[] {
  const there = new Set(found.map(asRestored));
  return [...new Set(wanted)].filter((line) => !there.has(asRestored(line)));
}

const CAST_LIST = /\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]/g;
const ELEMENT = /'(?:[^']|'')*'::character varying/g;

/** Postgres writes the cast of a list as it was declared; once it was dumped and restored, that of each element. */
function asRestored(line: string): string {
  return line.replaceAll(CAST_LIST, (_, list: string) => `ARRAY[${list.replaceAll(ELEMENT, '($&)::text')}]`);
}

function nameOf(column: string): string {
  return column.slice(0, column.indexOf(' '));
}

function namesOf(columns: readonly string[]): string[] {
  return columns.map(nameOf);
}

function foreignKeys(catalog: Catalog): string[] {
  return catalog.constraints.filter((line) => line.includes(' FOREIGN KEY '));
}
