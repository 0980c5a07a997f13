import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  grantsFor,
  parseGrants,
  UnusableGrants,
  type NewUser,
} from '../../functions/webhooks/apply/grants.ts';
import { grantsJsonSchema } from '../../scripts/grants-json-schema.ts';

const config = (name: string) => readFile(new URL(`../../config/${name}`, import.meta.url), 'utf8');
const ANN: NewUser = { user: 'user:ann', subject: 'ann', type: 'human', organization: 'org1' };

const objectsOf = (grants: object[], user: NewUser) =>
  grantsFor(parseGrants(JSON.stringify(grants)), user).map(({ object }) => object);

describe('default grants', () => {
  it('of this repository can be used, and their schema is up to date', async () => {
    expect(grantsFor(parseGrants(await config('default_grants.json')), ANN).length).toBeGreaterThan(0);
    expect(await config('default_grants.schema.json')).toBe(grantsJsonSchema());
  });

  it('may begin with a byte order mark, and hold no bytes that are not UTF-8', () => {
    const text = JSON.stringify([{ relation: 'viewer', object: 'document:café' }]);
    expect(parseGrants(`\ufeff${text}`)).toHaveLength(1);
    const latin1 = Buffer.from(text, 'latin1').toString('utf8');
    expect(() => parseGrants(latin1)).toThrow('not UTF-8');
  });

  it('fill in user, type and organisation', () => {
    const object = 'document:{organization}-{type}-{user_id}';
    expect(objectsOf([{ relation: 'admin', object }], ANN)).toEqual(['document:org1-human-ann']);
  });

  it('leave out what the event does not say, or what could pass for another id', () => {
    const grants = [{ relation: 'member', object: 'organization:{organization}' }];
    expect(objectsOf(grants, { ...ANN, organization: null })).toEqual([]);
    expect(objectsOf(grants, { ...ANN, organization: 'a:b' })).toEqual([]);
  });

  it('are narrowed by type and organisation', () => {
    const grants = [
      { relation: 'viewer', object: 'feature:a', types: ['machine'] },
      { relation: 'viewer', object: 'feature:b', organizations: ['org1'] },
      { relation: 'viewer', object: 'feature:c', organizations: ['org2'] },
    ];
    expect(objectsOf(grants, ANN)).toEqual(['feature:b']);
  });

  it('hold the same tuple once: OpenFGA refuses a write that has it twice', () => {
    const grant = { relation: 'viewer', object: 'feature:a' };
    expect(objectsOf([grant, grant], ANN)).toEqual(['feature:a']);
  });

  const sound = { relation: 'viewer', object: 'feature:a' };
  it.each<[unknown, string]>([
    [{}, 'write a JSON array of grants'],
    [Array(101).fill(sound), 'write at most 100 grants'],
    [['viewer'], '0: write objects of relation and object'],
    [[{ ...sound, role: 1 }], '0: write objects of relation and object'],
    [[sound, { object: 'feature:a' }], '1.relation: write the name of a relation'],
    [[{ ...sound, object: 7 }], '0.object: write type:id'],
    [[{ ...sound, object: `f:${'x'.repeat(300)}` }], '0.object: write at most 256 characters'],
    [[{ ...sound, types: 'human' }], '0.types: write a list of human and machine'],
    [[{ ...sound, types: [] }], '0.types: write a list of human and machine'],
    [[{ ...sound, types: ['robot'] }], '0.types.0: write a list of human and machine'],
    [[{ ...sound, organizations: [] }], '0.organizations: write a list of ids'],
    [[{ ...sound, organizations: [7] }], '0.organizations.0: write a list of ids'],
  ])('that cannot be used say where, and what to write: %#', (grants, words) => {
    expect(() => parseGrants(JSON.stringify(grants))).toThrow(`default grants: ${words}`);
  });

  it.each([
    ['no list', '{}'],
    ['no JSON', 'viewer'],
    ['an object without a type', '[{"relation":"viewer","object":"a"}]'],
    ['two colons', '[{"relation":"viewer","object":"feature:feature:a"}]'],
    ['a placeholder nobody fills', '[{"relation":"viewer","object":"feature:{email}"}]'],
    ['a field nobody knows', '[{"relation":"viewer","object":"feature:a","feature":"b"}]'],
  ])('with %s cannot be used', (_, text) => {
    expect(() => parseGrants(text)).toThrow(UnusableGrants);
  });
});
