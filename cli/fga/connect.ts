import type * as z from 'zod';
import { RelationsUnavailable } from '../../shared/errors.ts';
import { VARIABLES } from '../../shared/configuration/variables.ts';
import { Failure, missing } from '../failure.ts';
import { environment } from '../terminal.ts';
import { openFgaFailure } from './openfga-failure.ts';

const Variables = VARIABLES.pick({
  OPENFGA_URL: true,
  OPENFGA_STORE_ID: true,
  OPENFGA_MODEL_ID: true,
  OPENFGA_API_TOKEN: true,
}).partial({ OPENFGA_STORE_ID: true });

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i;

export interface OpenFgaSettings {
  readonly url: string;
  readonly storeId: string | undefined;
  readonly modelId: string | null;
  readonly apiToken: string | null;
}

/** Where OpenFGA is, from the gateway's own variables. Throws Failure. */
export function openFgaSettings(): OpenFgaSettings {
  const present = Object.entries(environment).filter(([, value]) => (value ?? '').trim() !== '');
  const parsed = Variables.safeParse(Object.fromEntries(present));
  if (!parsed.success) throw new Failure(parsed.error.issues.map(toFault).join('\n'));
  const { data } = parsed;
  const ids = [data.OPENFGA_STORE_ID, data.OPENFGA_MODEL_ID];
  if (ids.some((id) => id !== undefined && !ULID.test(id)))
    throw new Failure('OPENFGA_STORE_ID and OPENFGA_MODEL_ID are ids as OpenFGA makes them (ULID)');
  return {
    url: data.OPENFGA_URL,
    storeId: data.OPENFGA_STORE_ID,
    modelId: data.OPENFGA_MODEL_ID ?? null,
    apiToken: data.OPENFGA_API_TOKEN ?? null,
  };
}

/** For what works on one store. */
export function storeSettings(): OpenFgaSettings & { readonly storeId: string } {
  const settings = openFgaSettings();
  const { storeId } = settings;
  if (storeId === undefined) throw missing('OPENFGA_STORE_ID');
  return { ...settings, storeId };
}

function toFault({ path, message, code }: z.core.$ZodIssue): string {
  const name = String(path[0]);
  return code === 'invalid_type' ? missing(name).message : `${name}: ${message}`;
}

/** A server that is away is a Failure to say, not a defect with a stack. */
export async function orFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RelationsUnavailable) throw new Failure(openFgaFailure(error), { cause: error });
    throw error;
  }
}
