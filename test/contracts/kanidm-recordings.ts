import { existsSync, readFileSync } from 'node:fs';
import * as z from 'zod';

/** Exchanges with a real Kanidm, which lie beside the repository where they are at hand. */
const FOLDER = new URL('../../../shared/recordings/kanidm/', import.meta.url);

export const kanidmRecordingsMissing = !existsSync(FOLDER);

const Line = z.looseObject({
  note: z.string(),
  method: z.string(),
  path: z.string(),
  request: z.unknown(),
  request_headers: z.looseObject({ Authorization: z.string().optional() }).default({}),
  status: z.number().nullable(),
  response: z.unknown(),
});
export type Exchanged = z.output<typeof Line>;

/** The exchanges of a file, in order; other lines are left out. */
export function exchanges(file: string): readonly Exchanged[] {
  return readFileSync(new URL(file, FOLDER), 'utf8')
    .split('\n')
    .flatMap((line) => {
      if (line.trim() === '') return [];
      const parsed = Line.safeParse(JSON.parse(line));
      return parsed.success ? [parsed.data] : [];
    });
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;

/** What is to be the same at both: ids, times and random texts are left out, and sets are sorted. */
export function comparable(value: unknown): unknown {
  if (typeof value === 'string')
    return value
      .replaceAll(UUID, '<uuid>')
      .replace(/^\d{32}-.*/, '<change>')
      .replace(/^(Failed to [^:]*):.*/, '$1');
  if (typeof value === 'number' && value > 1_000_000_000) return '<time>';
  if (Array.isArray(value)) {
    const all = value.map(comparable);
    return all.every((each) => typeof each === 'string') ? all.sort() : all;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) =>
      ['token', 'sessionid'].includes(key) ? [] : [[key, comparable(each)]],
    ),
  );
}

/** Of a list of whoever is there, the members that its entries have. */
export function shapeOfList(value: unknown): unknown {
  const list = z.looseObject({ resources: z.array(z.unknown()) }).safeParse(value).data;
  const entries = list?.resources ?? (Array.isArray(value) ? value : []);
  const keys = entries.flatMap((entry) => {
    const members = z.looseObject({}).safeParse(entry).data ?? {};
    return Object.keys(z.looseObject({}).safeParse(members['attrs']).data ?? members);
  });
  return { of: list === undefined ? 'list' : Object.keys(list).sort(), keys: [...new Set(keys)].sort() };
}
