import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kanidmGroupName, kanidmName } from '../../shared/adapters/kanidm/names.ts';

/** What a real one takes: see the recorded refusals. */
const TAKEN = /^[a-z][a-z0-9-_.]{0,63}$/;

describe('names for Kanidm', () => {
  it('are taken, whatever the address', () => {
    const part = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 90 });
    fc.assert(
      fc.property(part, part, (local, domain) => {
        expect(kanidmName(`${local}@${domain}`)).toMatch(TAKEN);
      }),
    );
  });

  it('of plain addresses are read back by their last underscore', () => {
    for (const mail of ['bob@example.org', 'bob_smith@sub.example.org', 'a.b-c@x.org']) {
      const name = kanidmName(mail);
      const at = name.lastIndexOf('_');
      expect(`${name.slice(0, at)}@${name.slice(at + 1)}`).toBe(mail);
    }
  });

  it('of the same address are the same in any case, and of unlike addresses differ', () => {
    expect(kanidmName('Bob@Example.org')).toBe(kanidmName('bob@example.org'));
    const unlike = [
      'bob+a@x.org',
      'bob-a@x.org',
      'bob.a@x.org',
      "o'neil@x.org",
      'o-neil@x.org',
      '1@x.org',
      'u1@x.org',
    ];
    const long = 'x'.repeat(80);
    const names = [...unlike, `${long}1@x.org`, `${long}2@x.org`].map(kanidmName);
    expect(new Set(names).size).toBe(names.length);
  });

  it("keep a slug where they can, and never give two tenants' groups one name", () => {
    expect(kanidmGroupName('acme', 'admin')).toEqual({ name: 'tenant_acme_admins', renamed: false });
    const slugs = [
      'acme',
      'Acme',
      'ACME',
      'acme gmbh',
      'acme-gmbh',
      'açme',
      'x'.repeat(100),
      'x'.repeat(101),
    ];
    const groups = slugs.flatMap((slug) => [kanidmGroupName(slug, 'member'), kanidmGroupName(slug, 'admin')]);
    for (const { name } of groups) expect(name).toMatch(TAKEN);
    expect(new Set(groups.map(({ name }) => name)).size).toBe(groups.length);
    expect(kanidmGroupName('Acme', 'member').renamed).toBe(true);
  });
});
