import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
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
const LOOK_MS = 50;

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
  // Most of its processes are killed before they could keep what was compiled.
  await run(process.execPath, [...launching(folder, 'sallyport'), '--env-file=/dev/null', '--help']);
}

const found = new Map<keyof typeof BUILDS, Promise<string>>();

/** The folder with a build, made once per state of the sources: `node.js` and `sallyport.js`, or `index.js` of the Worker. */
export function built(artifact: keyof typeof BUILDS): Promise<string> {
  const folder = found.get(artifact) ?? findOrMake(artifact);
  found.set(artifact, folder);
  return folder;
}

async function findOrMake(artifact: keyof typeof BUILDS): Promise<string> {
  const folder = join(FOLDER, `${artifact}-${await fingerprint()}`);
  await mkdir(FOLDER, { recursive: true });
  const lock = `${folder}.lock`;
  // All processes of a run begin at the same time: one builds, the others wait for it.
  while (!existsSync(folder)) {
    if (!taken(lock)) {
      await setTimeout(LOOK_MS);
      continue;
    }
    try {
      if (!existsSync(folder)) await make(artifact, folder);
    } finally {
      await rm(lock, { force: true });
    }
  }
  return folder;
}

async function make(artifact: keyof typeof BUILDS, folder: string): Promise<void> {
  const draft = join(FOLDER, `draft-${process.pid}-${artifact}`);
  await mkdir(draft, { recursive: true });
  await BUILDS[artifact](draft);
  // Where the lock of a process that was thought dead was taken: whoever renames first wins, and both results are alike.
  await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
  await removeOld(artifact);
}

/** False while another process holds it. One that died holds nothing. */
function taken(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const holder = existsSync(lock) ? readFileSync(lock, 'latin1') : '';
    if (holder !== '' && !existsSync(`/proc/${holder}`)) rmSync(lock, { force: true });
    return false;
  }
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
