import { z } from 'zod';
import { setupFile } from '../shared/configuration/zitadel-setup.ts';

/** The file of `sallyport zitadel setup` for editors, as JSON Schema 2020-12: the text of config/zitadel.setup.schema.json. */
export function setupJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(setupFile, { io: 'input' }), null, 2)}\n`;
}
