import { writeFile } from 'node:fs/promises';
import { rulesJsonSchema } from './rules-json-schema.ts';

/** Writes config/access_rules.schema.json. */
await writeFile(new URL('../config/access_rules.schema.json', import.meta.url), rulesJsonSchema());
