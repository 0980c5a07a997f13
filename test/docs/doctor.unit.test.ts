import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ADVISORIES, ADVISORIES_DATE } from '../../cli/doctor/advisories.ts';
import { CHECK_NAMES, REGISTRY } from '../../shared/checks/registry.ts';

const PAGE = readFileSync('docs/doctor.md', 'utf8');
const [, CHECKS = '', TROUBLE = '', CHECKLIST = '', LISTED = ''] =
  /\n## Checks\n([\s\S]*)\n## Troubleshooting\n([\s\S]*)\n## Security checklist\n([\s\S]*)\n## Advisories\n([\s\S]*)/.exec(PAGE) ?? [];

describe('docs/doctor.md', () => {
  it.each(CHECK_NAMES)('has the row of %s as the registry has it', (name) => {
    const { needs, green, cause } = REGISTRY[name];
    expect(CHECKS).toContain(`| \`${name}\` | ${needs} | ${green} | ${cause} |`);
  });

  it('names only checks that there are', () => {
    const rows = `${TROUBLE}${CHECKLIST}`.split('\n').filter((line) => line.startsWith('| '));
    const named = rows.flatMap((row) => [...row.matchAll(/`([a-z0-9]+(?:-[a-z0-9]+)+)`/g)].map(([, name]) => name));
    const others = new Set(['weekly-report', 'certificate-expiry', 'pat-expiry', 'backup-age']);
    expect(named.filter((name) => name !== undefined && !others.has(name) && !CHECK_NAMES.some((each) => each === name))).toEqual([]);
  });

  it('has every advisory, and the date of the list', () => {
    expect(LISTED).toContain(ADVISORIES_DATE);
    for (const { id, what } of ADVISORIES) expect(LISTED).toContain(`${id}: ${what}`);
  });
});
