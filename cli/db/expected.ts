import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Catalog } from './catalog.ts';

/** What the migrations promise, as a fresh install has it; a test keeps the two together. */
export interface Expected {
  /** At 20250110000013: the shape a database has that is adopted. */
  readonly legacy: Catalog;
  readonly current: Catalog;
}

export async function readExpected(folder: string): Promise<Expected> {
  const read = async (name: string): Promise<Catalog> =>
    Catalog.parse(JSON.parse(await readFile(join(folder, 'schema', name), 'utf8')));
  return { legacy: await read('legacy.json'), current: await read('current.json') };
}
