import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUNDLE_BUDGET_KIB, buildWorker, weightKiB, type WorkerBundle } from '../bench/worker-bundle.ts';

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

  it('is the whole product, not an empty shell that any budget fits', () => {
    expect(bundle.rawKiB).toBeGreaterThan(bundle.gzipKiB);
    expect(weightKiB(bundle.metafile, 'functions/gateway/')).toBeGreaterThan(10);
  });

  it('evaluates the driver behind Hyperdrive only where it is asked for', () => {
    const imports = Object.values(bundle.metafile.inputs).flatMap((input) => input.imports);
    const kinds = imports.filter(({ path }) => path.endsWith('database-pg.ts')).map(({ kind }) => kind);
    expect(kinds).toEqual(['dynamic-import']);
  });

  it('carries no package of the Node entry alone', () => {
    for (const name of ['undici', 'pino', 'redis', '@hono/node-server']) {
      expect(weightKiB(bundle.metafile, `node_modules/${name}/`), name).toBe(0);
    }
  });
});
