import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundle, launching } from '../bundled.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Ignored by git; inside the repository, because the Node bundle finds its packages from there. */
const FOLDER = join(ROOT, '.wrangler/test');
const SOURCES = [
  ...['functions', 'shared', 'cli', 'config', 'scripts', 'package-lock.json', 'wrangler.toml'],
  'test/support/bundled.ts',
];
const KEEP_MS = 3_600_000;

/** `node` and `worker` are what production runs; `quick` is `node` in a form that starts in half the time. */
const BUILDS = {
  node: (out: string) => run(process.execPath, ['scripts/build.mjs', out], { cwd: ROOT }),
  worker: (out: string) =>
    run(process.execPath, ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', out], {
      cwd: ROOT,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', SALLYPORT_UNCHECKED_BUNDLE: '1' },
    }),
  quick: quickBuild,
} as const;

/** The same sources with their packages in one file each. CommonJS has no await at its top level, where both end in one. */
async function quickBuild(folder: string): Promise<void> {
  const [functions, cli] = [join(ROOT, 'functions'), join(ROOT, 'cli')];
  const node = (await readFile(join(functions, 'node.ts'), 'utf8')).replace('  await main(', '  void main(');
  const sallyport = `import { main } from './main.ts';
    export const ended = main(process.argv).then((code) => { if (code !== 0) process.exitCode = code; });`;
  await bundle({ folder, name: 'node', source: node, from: functions });
  await bundle({ folder, name: 'sallyport', source: sallyport, from: cli });
}

/** The folder with a build, made once per state of the sources: `node.js` and `sallyport.js`, or `index.js` of the Worker. */
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

/** What `node` starts the Node entry or the command line by, in the form that starts quickly. */
export async function quickProgram(name: 'node' | 'sallyport'): Promise<readonly string[]> {
  return launching(await built('quick'), name);
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
