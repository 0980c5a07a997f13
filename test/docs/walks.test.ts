import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FULL } from '../support/scale.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Heading -> files, of docs/walks.md or of what the script prints. */
function walksIn(page: string): Map<string, readonly string[]> {
  const sections = page.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [heading = '', ...lines] = section.split('\n');
      const files = lines.flatMap((line) => {
        const [, folder = '', names = ''] = /^- ([^:]+): (.+)$/.exec(line) ?? [];
        return names === '' ? [] : names.split(', ').map((name) => `${folder}/${name}`);
      });
      return [heading.replace(/: \d+ files$/, ''), files];
    }),
  );
}

describe.runIf(FULL)('docs/walks.md (in the full form alone: it starts the whole stack)', () => {
  it('names for each walk files that one run of it passes through', async () => {
    const script = ['--import', 'tsx', 'test/docs/walks.ts'];
    const { stderr } = await promisify(execFile)(process.execPath, script, { cwd: ROOT });
    const counted = walksIn(stderr);
    const written = walksIn(await readFile(new URL('../../docs/walks.md', import.meta.url), 'utf8'));
    expect([...written.keys()]).toEqual([...counted.keys()]);
    for (const [walk, files] of written) expect(counted.get(walk)).toEqual(expect.arrayContaining([...files]));
  });
});
