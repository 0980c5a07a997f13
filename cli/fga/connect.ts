import type * as z from 'zod';
import { RelationsUnavailable } from '../../shared/errors.ts';
import { VARIABLES } from '../../shared/configuration/variables.ts';
import { Failure, missing } from '../failure.ts';
import { environment } from '../terminal.ts';
import { UnusableModel, type AuthorizationModel } from '../../shared/ports/authorization-models.ts';
import { parseModel } from '../deps.ts';
import { readText } from '../input.ts';

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

/** OpenFGA's settings from the gateway's own variables. Throws Failure. */
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

/** For commands on one store. Throws Failure. */
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

/** An unavailable server is a Failure, not a defect with a stack. */
export async function orFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RelationsUnavailable) throw new Failure(openFgaFailure(error), { cause: error });
    throw error;
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

/** The fault, the host, and OpenFGA's reason for a refusal. Never the token, nor the rest of the URL. */
export function openFgaFailure({ message, cause }: RelationsUnavailable): string {
  const url = environment['OPENFGA_URL'] ?? '';
  const where = URL.canParse(url) ? ` (OPENFGA_URL leads to ${new URL(url).host})` : '';
  return `${message}${where}${cause instanceof Error ? `: ${onOneLine(cause.message)}` : ''}`;
}

/** The message quotes a file: control characters must not reach the terminal. */
function onOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500);
}
