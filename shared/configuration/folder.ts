import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';

/**
 * Every file below a folder as text, by its path there with `/`, in order. Hidden ones are left out: Kubernetes mounts a
 * ConfigMap by links through hidden folders.
 */
export function readFolder(path: string): ReadonlyMap<string, string> {
  if (!existsSync(path)) return new Map();
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.split(sep).some((part) => part.startsWith('.')))
    .filter((name) => statSync(join(path, name)).isFile())
    .toSorted();
  return new Map(names.map((name) => [name.split(sep).join('/'), readFileSync(join(path, name), 'utf8')]));
}
