import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  lackOfTenant,
  tenancy,
  tenancyOf,
  type Tenancy,
} from '../../../functions/gateway/authenticate/tenancies.ts';
import { judgePath } from '../../../functions/gateway/read/path.ts';
import { Refusal } from '../../../shared/errors.ts';
import { times } from '../../support/scale.ts';
import { compiled } from '../rules/support.ts';

const rules = compiled([{ path: '/t/:tenant/x', method: 'GET', tenant: '{tenant}' }]);

/** Whether somebody in these tenants gets through, and what the upstream is sent then. */
function passage(all: readonly Tenancy[], segment: string): { path: string; own: Tenancy } | undefined {
  try {
    const judged = judgePath(`/t/${segment}/x`);
    const match = rules.match('GET', judged.segments);
    if (match === undefined) return undefined;
    const tenancies = { all, fault: undefined };
    const own = tenancyOf(match, tenancies);
    const lack = lackOfTenant(match, tenancies, own);
    return lack !== undefined || own === undefined ? undefined : { path: judged.path, own };
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Each byte in any form that a URL has for it. */
const spelling = (text: string) =>
  fc
    .array(fc.constantFrom('plain', 'upper', 'lower', 'capital'), { minLength: 1, maxLength: 40 })
    .map((forms) =>
      Array.from(Buffer.from(text), (byte, at) => {
        const form = forms[at % forms.length];
        const hex = byte.toString(16).padStart(2, '0');
        const character = String.fromCharCode(byte);
        if (form === 'capital') return character.toUpperCase();
        if (form === 'plain' && byte < 0x80) return character;
        return `%${form === 'upper' ? hex.toUpperCase() : hex}`;
      }).join(''),
    );

const slug = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }),
  fc.constantFrom('acme', 'Acme', 'ACME', 'ácme', 'a\u0301cme', 'acme ', 'acmе', '*', '__proto__'),
);
const uuid = fc.uuid();

it('whatever is let through names, byte for byte, the tenant that the caller is in', () => {
  const tenants = fc.uniqueArray(fc.record({ id: uuid, slug }), {
    minLength: 2,
    maxLength: 4,
    selector: (tenant) => tenant.slug,
  });
  const named = fc.tuple(tenants, fc.nat(), fc.boolean(), fc.nat()).chain(([all, at, byId, own]) => {
    const other = all[at % all.length]!;
    return fc.tuple(fc.constant(all), fc.constant(own), spelling(byId ? other.id : other.slug));
  });
  let passed = 0;
  fc.assert(
    fc.property(named, ([all, own, segment]) => {
      const mine = all[own % all.length]!;
      const through = passage([tenancy(mine.id, mine.slug, 'user')], segment);
      if (through === undefined) return;
      passed += 1;
      expect([mine.id, mine.slug]).toContain(decodeURIComponent(through.path.split('/')[2] ?? ''));
      expect(through.own.tenant).toBe(mine.id);
    }),
    { numRuns: times(100_000, 5_000) },
  );
  expect(passed).toBeGreaterThan(100);
});

it.each([
  ['in capitals', (id: string) => id.toUpperCase()],
  ['without hyphens', (id: string) => id.replaceAll('-', '')],
  ['in braces', (id: string) => `{${id}}`],
  ['in groups of four', (id: string) => id.replaceAll('-', '').replace(/(.{4})(?=.)/g, '$1-')],
  ['as a URN', (id: string) => `urn:uuid:${id}`],
  ['as a URN in capitals and braces', (id: string) => `{URN:UUID:${id.toUpperCase()}}`],
  ['as it is', (id: string) => id],
])('a slug that could be read as an id is none: %s', (_how, form) => {
  const victim = 'c0ffee00-0000-4000-8000-00000000000a';
  const evil = tenancy('00000000-0000-4000-8000-00000000000b', form(victim), 'admin');
  expect(passage([evil], encodeURIComponent(form(victim)))).toBeUndefined();
  expect(passage([evil], evil.tenant)).toMatchObject({ own: evil });
});

it('of several tenants each is reached by its own name alone', () => {
  const [a, b] = [tenancy('id-of-a', 'a', 'admin'), tenancy('id-of-b', 'b', 'viewer')];
  expect(passage([a, b], 'a')).toMatchObject({ own: a });
  expect(passage([a, b], 'id-of-b')).toMatchObject({ own: b });
  expect(passage([a, b], 'c')).toBeUndefined();
});

it('what no field can hold is told to no upstream: line breaks, other alphabets, space at an end', () => {
  expect(tenancy('id', 'a\r\nX-User-Role: admin', 'user').fields).toEqual([
    ...['X-User-Tenant', 'id'],
    ...['X-User-Role', 'user'],
  ]);
  for (const odd of ['ácme', ' a', 'a ', '', '\t', 'a\u0000'])
    expect(tenancy('id', odd, odd).fields).toEqual(['X-User-Tenant', 'id']);
  expect(tenancy('id', 'a b', 'super_admin').fields).toContain('a b');
});
