import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUNDLE_BUDGET_KIB, buildWorker, weightKiB, type WorkerBundle } from '../bench/worker-bundle.ts';

/** Feature sync runs in commands and at a Node replica's start. */
const ON_NODE_ALONE = new Set(['feature-sync']);

describe('the Worker bundle', () => {
  let folder: string;
  let bundle: WorkerBundle;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-budget-'));
    bundle = await buildWorker(folder);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('stays within its compressed size', () => {
    expect(bundle.gzipKiB).toBeLessThanOrEqual(BUNDLE_BUDGET_KIB);
  });

  it('holds every function: no budget is kept by leaving one out', () => {
    for (const name of readdirSync('functions').filter(
      (entry) => !entry.includes('.') && !ON_NODE_ALONE.has(entry),
    ))
      expect(weightKiB(bundle.metafile, `functions/${name}/`), name).toBeGreaterThan(1);
  });

  it('evaluates the driver behind Hyperdrive only where it is asked for', () => {
    const imports = Object.values(bundle.metafile.inputs).flatMap((input) => input.imports);
    const kinds = imports.filter(({ path }) => path.endsWith('database-pg.ts')).map(({ kind }) => kind);
    expect(kinds).toEqual(['dynamic-import']);
  });

  it('carries no package of the Node entry alone', () => {
    for (const name of ['undici', 'redis', '@hono/node-server']) {
      expect(weightKiB(bundle.metafile, `node_modules/${name}/`), name).toBe(0);
    }
  });
});
