import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as z from 'zod';
import { root } from './programs.ts';

/** Cloudflare's smallest plan takes 3 MiB; ours is a ninth, because every cold start pays for it. */
export const BUNDLE_BUDGET_KIB = 420;

const BYTES_PER_KIB = 1_024;

const Metafile = z.object({
  inputs: z.record(
    z.string(),
    z.object({ imports: z.array(z.object({ path: z.string(), kind: z.string() })) }),
  ),
  outputs: z.record(
    z.string(),
    z.object({ inputs: z.record(z.string(), z.object({ bytesInOutput: z.number() })) }),
  ),
});

export type Metafile = z.output<typeof Metafile>;

export interface WorkerBundle {
  /** The one module that Cloudflare would be sent. */
  readonly script: string;
  readonly rawKiB: number;
  readonly gzipKiB: number;
  readonly metafile: Metafile;
}

/** What `wrangler deploy` would upload from a checkout, written into `folder`; nothing is sent anywhere. */
export async function buildWorker(folder: string, checkout = root): Promise<WorkerBundle> {
  const metafile = join(folder, 'meta.json');
  const args = ['deploy', '--dry-run', '--outdir', folder, '--metafile', metafile];
  await promisify(execFile)(
    process.execPath,
    [join(checkout, 'node_modules/wrangler/bin/wrangler.js'), ...args],
    {
      cwd: checkout,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', SALLYPORT_UNCHECKED_BUNDLE: '1', NO_COLOR: '1' },
    },
  );
  const script = join(folder, 'index.js');
  const code = await readFile(script);
  return {
    script,
    rawKiB: code.length / BYTES_PER_KIB,
    gzipKiB: gzipSync(code).length / BYTES_PER_KIB,
    metafile: Metafile.parse(JSON.parse(await readFile(metafile, 'utf8'))),
  };
}

/** KiB, before compression, that are in the bundle only because something imports a file whose path contains `part`. */
export function weightKiB({ inputs, outputs }: Metafile, part: string): number {
  const imported = new Set(Object.values(inputs).flatMap(({ imports }) => imports.map((it) => it.path)));
  const entries = Object.keys(inputs).filter((file) => !imported.has(file));
  const needed = new Set<string>();
  const pending = [...entries];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (needed.has(file) || file.includes(part)) continue;
    needed.add(file);
    pending.push(...(inputs[file]?.imports ?? []).map((it) => it.path));
  }
  const parts = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const bytes = parts.reduce(
    (sum, [file, { bytesInOutput }]) => (needed.has(file) ? sum : sum + bytesInOutput),
    0,
  );
  return bytes / BYTES_PER_KIB;
}
