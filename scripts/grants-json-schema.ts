import { z } from 'zod';
import { grantsFile } from '../functions/webhooks/apply/grants.ts';

/** The file of default grants for editors, as JSON Schema 2020-12: the text of config/default_grants.schema.json. */
export function grantsJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(grantsFile, { io: 'input' }), null, 2)}\n`;
}
