import * as z from 'zod';
import { slice } from '../../shared/configuration/slice.ts';
import { OPENFGA, type OpenFgaConfig } from '../../shared/configuration/stores.ts';
import { httpBase, ulid } from '../../shared/configuration/values.ts';
import { Failure, serviceFailure } from '../failure.ts';
import { configured } from '../variables.ts';
import { UnusableModel, type AuthorizationModel } from '../../shared/ports/authorization-models.ts';
import { parseModel } from '../deps.ts';
import { readText } from '../input.ts';

export interface OpenFgaSettings {
  readonly url: string;
  readonly storeId: string | undefined;
  readonly modelId: string | null;
  readonly apiToken: string | null;
}

/** A server whose store may have to be made first. */
const ANY_STORE = slice({
  variables: {
    OPENFGA_URL: httpBase,
    OPENFGA_STORE_ID: ulid.optional(),
    OPENFGA_MODEL_ID: ulid.optional(),
    OPENFGA_API_TOKEN: z.string().optional(),
  },
  read: (v): OpenFgaSettings => ({
    url: v.OPENFGA_URL,
    storeId: v.OPENFGA_STORE_ID,
    modelId: v.OPENFGA_MODEL_ID ?? null,
    apiToken: v.OPENFGA_API_TOKEN ?? null,
  }),
});

/** OpenFGA's settings from the gateway's own variables. Throws Failure. */
export function openFgaSettings(): OpenFgaSettings {
  return configured(ANY_STORE);
}

/** For commands on one store. Throws Failure. */
export function storeSettings(): OpenFgaConfig {
  return configured(OPENFGA).openfga;
}

/** An unavailable server is a Failure, not a defect with a stack. */
export async function orFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw serviceFailure(error) ?? error;
  }
}

/** Reads a model in OpenFGA's language. Throws Failure with the position of its first fault. */
export async function readModel(file: string): Promise<AuthorizationModel> {
  const text = await readText(file);
  try {
    return parseModel(text);
  } catch (error) {
    if (error instanceof UnusableModel) throw new Failure(`${file} ${error.message}`, { cause: error });
    throw error;
  }
}
