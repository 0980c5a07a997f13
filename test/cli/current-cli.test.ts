import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PACKAGES = ['esbuild', '@esbuild', 'tsx'];
const CACHE = 'node_modules/.cache';

describe('cli/sallyport.mjs', () => {
  let project: string;
  /** A project whose only command prints a word. */
  beforeEach(async () => {
    project = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
    for (const folder of ['cli', 'functions', 'shared', 'scripts', 'node_modules'])
      await mkdir(join(project, folder));
    for (const file of [
      'cli/sallyport.mjs',
      'scripts/current-cli.mjs',
      'scripts/bundling.mjs',
      'package.json',
    ])
      await cp(join(ROOT, file), join(project, file));
    for (const name of PACKAGES)
      await symlink(join(ROOT, 'node_modules', name), join(project, 'node_modules', name));
    await writeFile(join(project, 'node_modules/.package-lock.json'), '{}');
    await writeFile(
      join(project, 'cli/bin.ts'),
      `import { WORD } from '../shared/word.ts';\nconsole.log(WORD);\n`,
    );
  });
  afterEach(() => rm(project, { recursive: true }));

  const write = (word: string) =>
    writeFile(join(project, 'shared/word.ts'), `export const WORD: string = '${word}';\n`);
  const run = async (): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(project, 'cli/sallyport.mjs')]);
    return stdout.trim();
  };
  const bundles = () => readdir(join(project, CACHE, 'sallyport'));

  it('never runs a bundle of other sources, and makes one for each state of them', async () => {
    for (const [n, word] of ['one', 'two'].entries()) {
      await write(word);
      expect([await run(), await run()]).toEqual([word, word]);
      expect(await bundles()).toHaveLength(n + 1);
    }
    await writeFile(join(project, 'node_modules/.package-lock.json'), '{ }');
    expect(await run()).toBe('two');
    expect(await bundles()).toHaveLength(3);
  });

  it('runs the sources where nothing can be written', async () => {
    await writeFile(join(project, CACHE), '');
    await write('one');
    expect(await run()).toBe('one');
  });

  it('leaves one bundle when several commands begin together', async () => {
    await write('one');
    expect(await Promise.all([run(), run(), run()])).toEqual(['one', 'one', 'one']);
    expect(await bundles()).toHaveLength(1);
  });
});
