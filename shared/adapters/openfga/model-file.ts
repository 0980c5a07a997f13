import { createRequire } from 'node:module';
import type * as Language from '@openfga/syntax-transformer';
import {
  authorizationModelSchema,
  UnusableModel,
  type AuthorizationModel,
} from '../../ports/authorization-models.ts';
import { messageOf } from '../../errors.ts';

// The parser takes 80 ms and 18 MB to load: loaded at first use.
const require = createRequire(import.meta.url);

/** Parses a model in OpenFGA's language. Throws UnusableModel with the position of its first fault. */
export function parseModel(text: string): AuthorizationModel {
  const { transformer } = require('@openfga/syntax-transformer') as typeof Language;
  if (text.includes('\uFFFD')) throw new UnusableModel('is not UTF-8');
  try {
    return authorizationModelSchema.parse(transformer.transformDSLToJSONObject(text.replace(/^\uFEFF/, '')));
  } catch (error) {
    throw new UnusableModel(`is no OpenFGA model: ${firstFault(error)}`, { cause: error });
  }
}

/** The parser counts lines and columns from 0; editors from 1. */
function firstFault(error: unknown): string {
  const message = messageOf(error);
  const found = /line=(\d+), column=(\d+): (.*)/.exec(message);
  if (found === null) return message.trim();
  const [, line, column, problem] = found;
  return `${Number(line) + 1}:${Number(column) + 1} ${problem ?? ''}`;
}
