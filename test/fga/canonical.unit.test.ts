import { readFile } from 'node:fs/promises';
import { transformer } from '@openfga/syntax-transformer';
import { describe, expect, it } from 'vitest';
import { canonicalModel } from '../../cli/fga/bootstrap.ts';
import { authorizationModelSchema } from '../../shared/ports/authorization-models.ts';

const model = (dsl: string) => authorizationModelSchema.parse(transformer.transformDSLToJSONObject(dsl));
const HEAD = 'model\n  schema 1.1\ntype user\n';

describe('two models are the same exactly when they mean the same', () => {
  it('whatever the order of types, relations and members of a union', () => {
    const one = `${HEAD}type a\n  relations\n    define x: [user]\n    define y: [user] or z or x\n    define z: [user]\ntype b\n`;
    const other = `${HEAD}type b\ntype a\n  relations\n    define y: [user] or x or z\n    define x: [user]\n    define z: [user]\n`;
    expect(canonicalModel(model(one))).toBe(canonicalModel(model(other)));
  });

  it('with the empty defaults a server adds', async () => {
    const file = model(await readFile(new URL('../../config/model.fga', import.meta.url), 'utf8'));
    const served = {
      id: '01H',
      ...file,
      conditions: {},
      type_definitions: file.type_definitions.map((each) => ({ relations: {}, ...each })),
    };
    expect(canonicalModel(authorizationModelSchema.parse(served))).toBe(canonicalModel(file));
  });

  it.each([
    ['a relation assigned by hand and one that nobody can hold', 'define x: [user]', 'define x: [user:*]'],
    [
      'or and and',
      'define z: [user]\n    define x: [user] or z',
      'define z: [user]\n    define x: [user] and z',
    ],
    [
      'a but not b, and b but not a',
      'define z: [user]\n    define x: [user] but not z',
      'define z: [user]\n    define x: z but not z',
    ],
    ['a relation more', 'define x: [user]', 'define x: [user]\n    define y: [user]'],
  ])('but not %s', (_, one, other) => {
    const of = (relations: string) => canonicalModel(model(`${HEAD}type a\n  relations\n    ${relations}\n`));
    expect(of(one)).not.toBe(of(other));
  });
});
