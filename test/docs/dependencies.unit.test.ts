import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const names = z.record(z.string(), z.string()).transform((packages) => Object.keys(packages));
const manifest = z
  .object({ dependencies: names, devDependencies: names })
  .parse(JSON.parse(read('package.json')));
const page = read('docs/decisions/0002-dependencies.md');

/** Names in the first column of the tables below a heading. */
function listed(heading: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| (`[^|]*)\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
}

describe('docs/decisions/0002-dependencies.md', () => {
  it('justifies every package of production, and lists none that is gone', () => {
    expect(listed('In production').sort()).toEqual(manifest.dependencies.sort());
  });

  it('justifies every package of development, and lists none that is gone', () => {
    expect(listed('For development').sort()).toEqual(manifest.devDependencies.sort());
  });
});
