import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CODES } from '../../shared/codes.ts';

const page = readFileSync(new URL('../../docs/failure-modes.md', import.meta.url), 'utf8');
const codes = page.slice(page.indexOf('\n# Codes'), page.indexOf('\n# Faults that have no code'));
const sections = new Map(
  codes
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section]),
);

describe('docs/failure-modes.md', () => {
  it('has a section for every code of the registry, and for no other', () => {
    expect([...sections.keys()].sort()).toEqual(Object.keys(CODES).sort());
  });

  it.each(Object.entries(CODES))('tells status and owner of %s as the registry has them', (code, entry) => {
    expect(sections.get(code)).toContain(`**Status ${entry.status} · owner: ${entry.owner}**`);
  });

  it.each(Object.keys(CODES))('says what happened and what to do about %s', (code) => {
    expect(sections.get(code)).toMatch(/\*\*What happened\.\*\* [^]+\*\*What to do\.\*\* /);
  });
});
