import { z } from 'zod';
import { rulesFile } from '../functions/gateway/match/rules/definition.ts';

/** The rules file for editors, as JSON Schema 2020-12: the text of config/access_rules.schema.json. */
export function rulesJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(rulesFile, { io: 'input' }), null, 2)}\n`;
}
