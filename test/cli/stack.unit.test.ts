import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterEach, expect, it } from 'vitest';
import { inSources } from '../../cli/stack.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'stack-')));
afterEach(() => {
  rmSync(folder, { recursive: true });
});

it('shows the places of the sources of a bundle, and leaves those of other files', async () => {
  const source = join(folder, 'source.ts');
  writeFileSync(
    source,
    '// A comment that the bundle lacks.\nexport const make = () =>\n  new Error("x");\n',
  );
  const outfile = join(folder, 'bundle.mjs');
  await build({ entryPoints: [source], outfile, bundle: true, format: 'esm', sourcemap: true });
  const lines = readFileSync(outfile, 'utf8').split('\n');
  const line = lines.findIndex((each) => each.includes('new Error'));
  const column = lines[line]?.indexOf('new Error') ?? -1;
  const frame = `    at make (${pathToFileURL(outfile).href}:${line + 1}:${column + 1})`;
  const other = '    at other (file:///nowhere/other.mjs:1:2)';
  expect(inSources(`Error: x\n${frame}\n${other}`)).toBe(
    `Error: x\n    at make (${relative(process.cwd(), source)}:3:3)\n${other}`,
  );
});
