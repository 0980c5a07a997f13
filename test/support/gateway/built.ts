import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Ignored by git; inside the repository, because the Node bundle finds its packages from there. */
const FOLDER = join(ROOT, '.wrangler/test');
const SOURCES = ['functions', 'shared', 'cli', 'config', 'scripts', 'package-lock.json', 'wrangler.toml'];
const KEEP_MS = 3_600_000;

const BUILDS = {
  node: (out: string) => run(process.execPath, ['scripts/build.mjs', out], { cwd: ROOT }),
  worker: (out: string) =>
    run(process.execPath, ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', out], {
      cwd: ROOT,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', SALLYPORT_UNCHECKED_BUNDLE: '1' },
    }),
} as const;

/** The folder with what production runs, built once per state of the sources: `node.js` and `sallyport.js`, or `index.js` of the Worker. */
export async function built(artifact: keyof typeof BUILDS): Promise<string> {
  const folder = join(FOLDER, `${artifact}-${await fingerprint()}`);
  if (existsSync(folder)) return folder;
  const draft = join(FOLDER, `draft-${process.pid}-${artifact}`);
  await mkdir(draft, { recursive: true });
  await BUILDS[artifact](draft);
  // Two test files may build at the same time: whoever renames first wins, and both results are alike.
  await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
  await removeOld(artifact);
  return folder;
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  for (const source of SOURCES) {
    for (const file of await filesOf(join(ROOT, source))) {
      const { mtimeMs, size } = await stat(file);
      hash.update(`${file} ${mtimeMs} ${size}\n`);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function filesOf(path: string): Promise<string[]> {
  if ((await stat(path)).isFile()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function removeOld(artifact: string): Promise<void> {
  for (const name of await readdir(FOLDER)) {
    const path = join(FOLDER, name);
    if (!name.startsWith(`${artifact}-`)) continue;
    if (Date.now() - (await stat(path)).mtimeMs > KEEP_MS) await rm(path, { recursive: true, force: true });
  }
}
