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
    const program = join(folder, 'sallyport.mjs');
    if (!existsSync(program)) await make(folder);
    return program;
  } catch {
    return undefined;
  }
}

function fingerprint() {
  const hash = createHash('sha256');
  hash.update(
    SOURCES.flatMap((source) => statesBelow(join(ROOT, source)))
      .sort()
      .join('\n'),
  );
  return hash.digest('hex').slice(0, 32);
}

function statesBelow(path, isFolder = statSync(path).isDirectory()) {
  if (isFolder)
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      statesBelow(`${path}/${entry.name}`, entry.isDirectory()),
    );
  const { mtimeMs, size } = statSync(path);
  return [`${path} ${size} ${mtimeMs}`];
}

/** Several may make one at the same time: whoever renames first wins, and all are alike. */
async function make(folder) {
  const [{ build }, { COMMANDS }] = await Promise.all([import('esbuild'), import('./bundling.mjs')]);
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  await build({
    ...COMMANDS,
    absWorkingDir: ROOT,
    entryPoints: { sallyport: 'cli/bin.ts' },
    outdir: draft,
    // Of .js the next package.json above is looked for, file by file.
    outExtension: { '.js': '.mjs' },
  });
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
