import { readFile } from 'node:fs/promises';
import { transformer, validator } from '@openfga/syntax-transformer';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileRules } from '../../functions/gateway/match/rules/compile.ts';
import { objectOf } from '../../functions/gateway/match/rules/object.ts';

type Model = ReturnType<typeof transformer.transformDSLToJSONObject>;

let dsl: string;
let model: Model;

function relation(type: string, name: string) {
  const definition = model.type_definitions.find((candidate) => candidate.type === type);
  return {
    rewrite: definition?.relations?.[name],
    assignable: definition?.metadata?.relations?.[name]?.directly_related_user_types ?? [],
  };
}

/** The relations of the same object that imply this one, directly or through others. */
function impliedBy(type: string, name: string): Set<string> {
  const { rewrite } = relation(type, name);
  const parts = [rewrite, ...(rewrite?.union?.child ?? [])];
  const direct = parts.flatMap((part) => part?.computedUserset?.relation ?? []);
  return new Set([...direct, ...direct.flatMap((next) => [...impliedBy(type, next)])]);
}

beforeAll(async () => {
  dsl = await readFile(new URL('../../config/model.fga', import.meta.url), 'utf8');
  model = transformer.transformDSLToJSONObject(dsl);
});

describe('config/model.fga', () => {
  it('is a valid model of schema 1.1', () => {
    expect(() => {
      validator.validateDSL(dsl);
    }).not.toThrow();
    expect(model.schema_version).toBe('1.1');
  });

  it('still takes a tuple `user:x viewer feature:y`', () => {
    expect(relation('feature', 'viewer').assignable).toContainEqual({ type: 'user' });
    expect(relation('feature', 'viewer').rewrite?.union?.child).toContainEqual({ this: {} });
  });

  it.each(['feature', 'document'])('lets an admin of a %s manage and view it, never the reverse', (type) => {
    expect(impliedBy(type, 'viewer')).toEqual(new Set(['manager', 'admin']));
    expect(impliedBy(type, 'admin')).toEqual(new Set());
    expect(impliedBy(type, 'view')).toEqual(new Set(['viewer', 'manager', 'admin']));
    expect(impliedBy(type, 'edit')).toEqual(new Set(['manager', 'admin']));
    expect(impliedBy(type, 'delete')).toEqual(new Set(['admin']));
  });

  it('lets everyone view at most', () => {
    const open = model.type_definitions.flatMap(({ type, metadata }) =>
      Object.entries(metadata?.relations ?? {})
        .filter(([, { directly_related_user_types: types = [] }]) =>
          types.some((user) => user.wildcard !== undefined),
        )
        .map(([name]) => `${type}#${name}`),
    );
    expect(open).toEqual(['feature#viewer', 'document#viewer']);
  });

  it('knows every type and relation that the shipped rules ask for', async () => {
    const source = await readFile(new URL('../../config/access_rules.json', import.meta.url), 'utf8');
    const compilation = compileRules(source, { targets: new Set(['upstream']) });
    const asked = (compilation.ok ? compilation.rules.rules : []).flatMap(({ access }) =>
      access.kind === 'relation'
        ? [[objectOf(access, { id: '1' }).split(':')[0] ?? '', access.relation] as const]
        : [],
    );
    expect(asked).not.toEqual([]);
    for (const [type, name] of asked) expect(relation(type, name).rewrite, `${type}#${name}`).toBeDefined();
  });
});
