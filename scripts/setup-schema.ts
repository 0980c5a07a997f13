import { writeFile } from 'node:fs/promises';
import { setupJsonSchema } from './setup-json-schema.ts';

/** Writes config/zitadel.setup.schema.json. */
await writeFile(new URL('../config/zitadel.setup.schema.json', import.meta.url), setupJsonSchema());
