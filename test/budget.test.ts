import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUNDLE_BUDGET_KIB, buildWorker, weightKiB, type WorkerBundle } from '../bench/worker-bundle.ts';
import { mapOf, places } from '../scripts/stack.ts';

/** Feature sync runs in commands and at a Node replica's start; node/ is of its entry. */
const ON_NODE_ALONE = new Set(['feature-sync', 'node']);

/** Where a text begins in the bundle, as a stack writes it. */
function placeOf(code: string, text: string): string {
  const lines = code.slice(0, code.indexOf(text)).split('\n');
  return `index.js:${lines.length}:${lines.at(-1)!.length}`;
}

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

  it.each([
    'adapters/postgres/pg.ts',
    'adapters/smtp/line.ts',
    '@neondatabase/serverless/index.mjs',
    'bcryptjs/index.js',
  ])('evaluates %s with the first statement or password alone', (driver) => {
    const imports = Object.values(bundle.metafile.inputs).flatMap((input) => input.imports);
    const kinds = imports.filter(({ path }) => path.endsWith(driver)).map(({ kind }) => kind);
    expect(kinds).toEqual(['dynamic-import']);
  });

  it('carries no package of the Node entry alone, and none that others bring and nothing here reaches', () => {
    const left = ['axios', '@opentelemetry/api', 'tdigest', '@openfga/sdk/node_modules/jose'];
    for (const name of ['undici', 'redis', '@hono/node-server', '@node-rs/bcrypt', ...left]) {
      expect(weightKiB(bundle.metafile, `node_modules/${name}/`), name).toBe(0);
    }
  });

  it('has the OpenFGA SDK, which makes the calls', () => {
    expect(weightKiB(bundle.metafile, 'node_modules/@openfga/sdk/')).toBeGreaterThan(10);
  });

  it('lets the places of a stack be traced to the source, although its names are gone', async () => {
    const mark = 'fetch cannot send this request';
    const file = 'shared/adapters/workerd/upstream.ts';
    const placed = places(
      `at a (${placeOf(await readFile(bundle.script, 'utf8'), mark)})`,
      await mapOf(folder),
      folder,
    );
    expect(placed).toMatch(new RegExp(`^at a \\(${file}:\\d+:\\d+\\)$`));
    const line = Number(/:(\d+):/.exec(placed)?.[1]);
    expect((await readFile(file, 'utf8')).split('\n')[line - 1]).toContain(mark);
  });
});
