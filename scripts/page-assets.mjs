// Writes the hashes of pages' assets into the one module that names them: their addresses change with their content, so that browsers
// may keep them. The builds run it, and a test holds the two together.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = join(root, 'functions/analytics/assets');

export function assetNames() {
  const entries = readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => {
      const hash = createHash('sha256').update(readFileSync(join(folder, name)));
      return `  '${name}': '${hash.digest('hex').slice(0, 12)}',\n`;
    });
  return `/** Written by scripts/page-assets.mjs. */\nexport const HASHES = {\n${entries.join('')}} as const;\n`;
}

export const target = join(root, 'functions/analytics/page/hashes.ts');

/** Leaves a file that is right alone: wrangler would bundle anew for each writing. */
export function writeAssetNames() {
  const text = assetNames();
  if (readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeAssetNames();
