import { transformer } from '@openfga/syntax-transformer';
import { authorizationModelSchema, type AuthorizationModel } from '../../shared/authorization-models.ts';
import { Failure } from '../failure.ts';
import { readText } from '../files.ts';

/** A model in OpenFGA's language. Throws Failure with the place of each fault. */
export async function readModel(file: string): Promise<AuthorizationModel> {
  const text = await readText(file);
  try {
    return authorizationModelSchema.parse(transformer.transformDSLToJSONObject(text));
  } catch (error) {
    const why = error instanceof Error ? error.message.trim() : 'unknown error';
    throw new Failure(`${file} is not an OpenFGA model: ${why}`, { cause: error });
  }
}
