import { writeFile } from 'node:fs/promises';
import { grantsJsonSchema } from './grants-json-schema.ts';

/** Writes config/default_grants.schema.json. */
await writeFile(new URL('../config/default_grants.schema.json', import.meta.url), grantsJsonSchema());
