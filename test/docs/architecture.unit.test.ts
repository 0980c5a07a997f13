import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { program } from '../../cli/main.ts';
import { RULE_FIELDS } from '../../functions/gateway/match/rules/definition.ts';
import { CODES } from '../../shared/codes.ts';
import { VARIABLES } from '../../functions/catalogue.ts';

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

const section = (title: string): string =>
  page('architecture.md')
    .split(/^## /m)
    .find((text) => text.startsWith(`${title}\n`)) ?? '';

/** What stands in backticks in the first column of the tables of a page. */
function firstColumn(name: string): string[] {
  return [...page(name).matchAll(/^\|.+$/gm)].flatMap(([row]) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
}

describe('the reference pages', () => {
  it('lists every variable that is read, and no other', () => {
    const issuer = ['URL', 'AUDIENCE', 'CLIENT_ID', 'CLIENT_SECRET'].map((field) => `ISSUER_<NAME>_${field}`);
    const read = [...VARIABLES.keys(), 'TARGET_<NAME>_URL', ...issuer];
    expect(firstColumn('reference/variables.md').sort()).toEqual(read.sort());
  });

  it('lists every field of an access rule, and no other', () => {
    expect(firstColumn('reference/access-rules.md').sort()).toEqual([...RULE_FIELDS].sort());
  });

  it('lists every group of commands', async () => {
    const groups = (await program()).commands.map((command) => command.name());
    expect(groups).toContain('rules');
    expect(groups.filter((group) => !section('Commands').includes(`sallyport ${group}`))).toEqual([]);
  });

  it('has no row and no sentence twice, as merges leave them', () => {
    const lines = page('architecture.md')
      .split('\n')
      .filter((line) => line.length > 40);
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.filter((line, at) => lines.indexOf(line) < at)).toEqual([]);
  });

  it('puts codes beside their status', () => {
    const answers = section('Answers').split('\n');
    for (const [code, { status }] of Object.entries(CODES)) {
      const row = answers.find((line) => line.includes(`\`${code}\``));
      // Two codes are in the registry for functions to come.
      if (code === 'not_found') expect(row).toBeUndefined();
      else expect(row?.split('|')[1]).toContain(String(status));
    }
  });
});
