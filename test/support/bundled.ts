import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export interface Bundled {
  spawn(variables: Readonly<Record<string, string>>, ...args: readonly string[]): ChildProcess;
  close(): Promise<void>;
}

/** Keeps what V8 compiled in the first process that ends by itself: the others start half again as fast. */
const LAUNCHER = `
const { existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { wrap } = require('node:module');
const { Script } = require('node:vm');
const [filename, cache] = ['bundle.cjs', 'compiled'].map((name) => __dirname + '/' + name);
const cachedData = existsSync(cache) ? readFileSync(cache) : undefined;
const script = new Script(wrap(readFileSync(filename, 'utf8')), { filename, cachedData });
// Processes may start beside each other: none reads half a file.
const keep = () => {
  writeFileSync(cache + process.pid, script.createCachedData());
  renameSync(cache + process.pid, cache);
};
if (cachedData === undefined) process.on('exit', keep);
script.runInThisContext().call({}, {}, require, { exports: {} }, filename, __dirname);
`;

/** A program of the tests as one file, for those that start many processes of it. */
export async function bundled(entry: string): Promise<Bundled> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bundled-'));
  const launcher = join(folder, 'launcher.cjs');
  await writeFile(launcher, LAUNCHER);
  await build({
    entryPoints: [entry],
    outfile: join(folder, 'bundle.cjs'),
    bundle: true,
    external: ['pg-native', 'pg-cloudflare'],
    platform: 'node',
    format: 'cjs',
    // CommonJS has none; this one also finds the packages that are loaded when they are needed.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(entry).href) },
    target: 'node20',
    logLevel: 'error',
  });
  return {
    spawn: (variables, ...args) =>
      spawn(process.execPath, [launcher, ...args], {
        env: { ...variables },
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
