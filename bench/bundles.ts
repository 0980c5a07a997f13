import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const ROOT = new URL('../', import.meta.url);

export const root = fileURLToPath(ROOT);

/** Paths of the programs under test, bundled as they are in production: a loader's wrappers would slow them all down. */
export interface Bundles {
  /** What `npm start` runs. */
  readonly product: string;
  readonly bareNode: string;
  readonly paced: string;
}

export async function buildNode(): Promise<Bundles> {
  const outdir = path('dist/bench');
  await Promise.all([
    promisify(execFile)(process.execPath, [path('scripts/build.mjs')], { cwd: root }),
    build({
      entryPoints: [path('bench/servers/bare-node.ts'), path('bench/load/paced.ts')],
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
    product: path('dist/node.js'),
    bareNode: `${outdir}/servers/bare-node.js`,
    paced: `${outdir}/load/paced.js`,
  };
}

export function path(relative: string): string {
  return fileURLToPath(new URL(relative, ROOT));
}
