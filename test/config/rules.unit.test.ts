import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { compileRules } from '../../functions/gateway/match/rules/compile.ts';
import { rulesJsonSchema } from '../../scripts/rules-json-schema.ts';

async function config(name: string): Promise<string> {
  return readFile(new URL(`../../config/${name}`, import.meta.url), 'utf8');
}

it.each(['access_rules.json', 'access_rules_prev.json'])(
  'the shipped %s compiles without a warning, with no target but upstream',
  async (name) => {
    const compilation = compileRules(await config(name), { targets: new Set(['upstream']) });
    expect(compilation).toMatchObject({ ok: true, warnings: [] });
  },
);

it('the JSON Schema that editors read is the one the gateway checks (npx tsx scripts/rules-schema.ts writes it)', async () => {
  expect(await config('access_rules.schema.json')).toBe(rulesJsonSchema());
});
