import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { EVENTS, setupFile } from '../../shared/configuration/zitadel-setup.ts';
import { setupJsonSchema } from '../../scripts/setup-json-schema.ts';

const config = (name: string) => readFile(new URL(`../../config/${name}`, import.meta.url), 'utf8');

it('the schema of the file of a set-up is generated: `npx tsx scripts/setup-schema.ts`', async () => {
  expect(await config('zitadel.setup.schema.json')).toBe(setupJsonSchema());
});

it('the example of a set-up has a section for each that there is, and no secret', async () => {
  const text = await config('zitadel.setup.json');
  const parsed = setupFile.parse(JSON.parse(text));
  expect(Object.keys(parsed).sort()).toEqual(Object.keys(setupFile.shape).sort());
  expect(parsed.targets[0]?.events).toEqual([...EVENTS]);
});
