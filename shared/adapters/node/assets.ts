import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Of a checkout, and of a build: relative to where the process runs, as `config/` is. */
const FOLDERS = ['functions/analytics/assets', 'dist/assets'];

/** Throws as node:fs, for a file that is in neither. */
export async function nodeAsset(name: string): Promise<Uint8Array> {
  const [source = '', built = ''] = FOLDERS.map((folder) => join(folder, name));
  return readFile(source).catch(() => readFile(built));
}
