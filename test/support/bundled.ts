import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { LAZY_PACKAGES } from '../../scripts/bundling.mjs';

/**
 * `node launcher.cjs FILE ARGUMENT…`: FILE as a program, by what V8 compiled of it in the first processes that ended by
 * themselves; each adds what it was the first to call. That is half of what a start costs.
 */
const LAUNCHER = `
const { existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname } = require('node:path');
const { Script } = require('node:vm');
process.argv.splice(1, 1);
const [, filename] = process.argv;
// The processes of node:cluster start in the same way; they themselves have no setupPrimary.
require('node:cluster').setupPrimary?.({ exec: __filename, args: process.argv.slice(1) });
const cache = filename.replace(/cjs$/, 'compiled');
// Its last byte counts the processes that have added to it.
const kept = existsSync(cache) ? readFileSync(cache) : Buffer.of(0);
const [cachedData, added] = [kept.subarray(0, -1), kept[kept.length - 1]];
// All of it is ASCII: decoding megabytes of UTF-8 would take as long as compiling them.
const script = new Script(readFileSync(filename, 'latin1'), { filename, ...(added > 0 && { cachedData }) });
// Processes may start beside each other: none reads half a file.
const keep = () => {
  try {
    writeFileSync(cache + process.pid, Buffer.concat([script.createCachedData(), Buffer.of(added + 1)]));
    renameSync(cache + process.pid, cache);
  } catch {}
};
if (added < 12) process.on('exit', keep);
const own = { exports: {} };
script
  .runInThisContext()
  .call(own.exports, own.exports, createRequire(filename), own, filename, dirname(filename), process);
`;

export interface Bundle {
  /** The folder that it is written to, beside the launcher. */
  readonly folder: string;
  readonly name: string;
  /** TypeScript; what it imports is found from `from`. */
  readonly source: string;
  readonly from: string;
  /** import.meta.url of all its modules; unless given, that of the bundle. */
  readonly url?: string;
}

/** What `node` starts a program of this folder by. Without `--` it takes an --env-file of the program for its own. */
export function launching(folder: string, name: string): readonly string[] {
  return ['--', join(folder, 'launcher.cjs'), join(folder, `${name}.cjs`)];
}

/** Writes a program with all its packages as one file. */
export async function bundle({ folder, name, source, from, url }: Bundle): Promise<void> {
  await writeFile(join(folder, 'launcher.cjs'), LAUNCHER);
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: from, loader: 'ts' },
    write: false,
    bundle: true,
    plugins: [LAZY_PACKAGES],
    // The last is native code.
    external: ['pg-native', 'pg-cloudflare', '@node-rs/bcrypt'],
    // A script that is no module of its own has no import().
    supported: { 'dynamic-import': false },
    platform: 'node',
    format: 'cjs',
    legalComments: 'none',
    minifyWhitespace: true,
    banner: {
      js: `(function (exports, require, module, __filename, __dirname, process) {
        const bundleUrl = require("node:url").pathToFileURL(__filename).href;
        // Without it pg loads all of fetch to see that it is not on Workers; from Node 21 on it is there.
        const navigator = { userAgent: 'Node.js' };`,
    },
    footer: { js: '})' },
    // CommonJS has none; this one also finds the packages that are loaded when they are needed.
    define: { 'import.meta.url': url === undefined ? 'bundleUrl' : JSON.stringify(url) },
    target: 'node20',
    logLevel: 'error',
  });
  // esbuild leaves regular expressions as they are.
  const ascii = outputFiles[0]?.text.replace(
    /[^\x00-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  await writeFile(join(folder, `${name}.cjs`), ascii ?? '');
}

export interface Bundled {
  spawn(variables: Readonly<Record<string, string>>, ...args: readonly string[]): ChildProcess;
  close(): Promise<void>;
}

/** A program of the tests as one file, for those that start many processes of it. */
export async function bundled(entry: string): Promise<Bundled> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bundled-'));
  const source = `import ${JSON.stringify(entry)};`;
  await bundle({ folder, name: 'bundle', source, from: dirname(entry), url: pathToFileURL(entry).href });
  return {
    spawn: (variables, ...args) =>
      spawn(process.execPath, [...launching(folder, 'bundle'), ...args], {
        env: { ...variables },
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
