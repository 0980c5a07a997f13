// Writes config/mail/ into the one module that a Worker's bundle takes it from: a Worker has no files. [build] in wrangler.toml
// runs it, and a test holds the two together.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = join(root, 'config/mail');

export function bundledTemplates() {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name));
  const texts = files.map((file) => [
    relative(folder, file).split(sep).join('/'),
    readFileSync(file, 'utf8'),
  ]);
  return `${JSON.stringify(Object.fromEntries(texts.sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`;
}

export const target = join(root, 'shared/adapters/workerd/mail-templates.json');

/** Leaves a file that is right alone: wrangler would bundle anew for each writing. */
export function writeTemplates() {
  const text = bundledTemplates();
  if (readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeTemplates();
