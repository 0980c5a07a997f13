import { UnusableModel, type AuthorizationModel } from '../../shared/ports/authorization-models.ts';
import { parseModel } from '../deps.ts';
import { Failure } from '../failure.ts';
import { readText } from '../files.ts';

/** A model in OpenFGA's language. Throws Failure with the place of its first fault. */
export async function readModel(file: string): Promise<AuthorizationModel> {
  const text = await readText(file);
  try {
    return parseModel(text);
  } catch (error) {
    if (error instanceof UnusableModel) throw new Failure(`${file} ${error.message}`, { cause: error });
    throw error;
  }
}
