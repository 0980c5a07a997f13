import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const KEPT = join(ROOT, 'node_modules/.cache/sallyport');
/** What a bundle is made of, and by. A package changes with the lock file that npm writes into its folder. */
const SOURCES = ['cli', 'functions', 'shared', 'scripts', 'package.json', 'node_modules/.package-lock.json'];
const NAME = 'cli-';
const DAY_MS = 86_400_000;

/**
 * The command line as one program, made once for each state of its sources: the path of a file, or undefined where none can be
 * made. Tells states apart by names, sizes and times of change, so that a bundle of another state never runs.
 */
export async function currentCli() {
  try {
    const folder = join(KEPT, NAME + fingerprint());
    const program = join(folder, 'sallyport.js');
    if (!existsSync(program)) await make(folder);
    return program;
  } catch {
    return undefined;
  }
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const source of SOURCES) addTo(hash, join(ROOT, source));
  return hash.digest('hex').slice(0, 32);
}

function addTo(hash, path) {
  const { mtimeNs, size, isFolder } = stateOf(path);
  if (!isFolder) hash.update(`${path} ${size} ${mtimeNs}\n`);
  else for (const name of readdirSync(path).sort()) addTo(hash, join(path, name));
}

function stateOf(path) {
  const state = statSync(path, { bigint: true });
  return { mtimeNs: state.mtimeNs, size: state.size, isFolder: state.isDirectory() };
}

/** Several may make one at the same time: whoever renames first wins, and all are alike. */
async function make(folder) {
  const [{ build }, { BUNDLING }] = await Promise.all([import('esbuild'), import('./bundling.mjs')]);
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  await build({ ...BUNDLING, absWorkingDir: ROOT, entryPoints: { sallyport: 'cli/bin.ts' }, outdir: draft });
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  removeOld();
}

/** A command that still runs loads parts of its own when it comes to them: those of a day ago have ended. */
function removeOld() {
  for (const name of readdirSync(KEPT).filter((each) => each.startsWith(NAME))) {
    const path = join(KEPT, name);
    if (Date.now() - statSync(path).mtimeMs > DAY_MS) rmSync(path, { recursive: true, force: true });
  }
}
