import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RULE_FIELDS } from '../../functions/gateway/rules/definition.ts';
import { CODES } from '../../shared/errors.ts';
import { VARIABLES } from '../../shared/variables.ts';

const page = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8');

/** What stands in backticks in one column of the tables below a heading. */
function column(heading: string, index: number): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\|.+$/gm)].flatMap(([row]) =>
    [...(row.split('|')[index] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
}

describe('docs/architecture.md', () => {
  it('lists every variable that is read, and no other', () => {
    const read = [...Object.keys(VARIABLES.shape), 'TARGET_<NAME>_URL'];
    expect(column('Variables', 1).sort()).toEqual(read.sort());
  });

  it('lists every field of an access rule, and no other', () => {
    expect(column('Access rules', 1).sort()).toEqual([...RULE_FIELDS].sort());
  });

  it('puts codes beside their status', () => {
    const section = page.split(/^## /m).find((text) => text.startsWith('Answers\n')) ?? '';
    for (const [code, { status }] of Object.entries(CODES)) {
      const row = section.split('\n').find((line) => line.includes(`\`${code}\``));
      // Two codes are in the registry for functions to come.
      if (code === 'not_found') expect(row).toBeUndefined();
      else expect(row?.split('|')[1]).toContain(String(status));
    }
  });
});
