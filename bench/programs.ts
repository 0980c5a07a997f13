import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { installed } from './children.ts';

const run = promisify(execFile);
const ROOT = new URL('../', import.meta.url);

export const root = fileURLToPath(ROOT);

/** Paths of what the bench starts, built as it is in production: a loader's wrappers would slow programs down. */
export interface Programs {
  /** What `npm start` runs. */
  readonly product: string;
  /** The same of another checkout, where --beside names one. */
  readonly beside: string | undefined;
  readonly bareNode: string;
  /** Sends mails. */
  readonly mailer: string;
  /** A mail server that keeps nothing. */
  readonly smtpSink: string;
  /** Loaded by Node before a program whose heap is measured. */
  readonly heapProbe: string;
  /** The generator of constant load; undefined where nothing compiles C. */
  readonly paced: string | undefined;
}

export async function buildPrograms(beside: string | undefined): Promise<Programs> {
  const outdir = path('dist/bench');
  const [product, other] = await Promise.all([
    buildProduct(root),
    beside === undefined ? undefined : buildProduct(resolve(beside)),
    build({
      entryPoints: ['bare-node', 'heap-probe', 'mailer', 'smtp-sink'].map((name) =>
        path(`bench/servers/${name}.ts`),
      ),
      outdir,
      outbase: path('bench'),
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'warning',
    }),
  ]);
  return {
    product,
    beside: other,
    bareNode: `${outdir}/servers/bare-node.js`,
    heapProbe: `${outdir}/servers/heap-probe.js`,
    mailer: `${outdir}/servers/mailer.js`,
    smtpSink: `${outdir}/servers/smtp-sink.js`,
    paced: await compilePaced(`${outdir}/paced`),
  };
}

export function path(relative: string): string {
  return fileURLToPath(new URL(relative, ROOT));
}

async function buildProduct(checkout: string): Promise<string> {
  await run(process.execPath, [join(checkout, 'scripts/build.mjs')], { cwd: checkout });
  return join(checkout, 'dist/node.js');
}

/** Undefined where nothing compiles C. */
export async function compilePaced(program: string): Promise<string | undefined> {
  if (!installed('cc')) return undefined;
  await run('cc', ['-O2', '-o', program, path('bench/load/paced.c')]);
  return program;
}
