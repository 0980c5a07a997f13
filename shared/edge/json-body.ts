import * as z from 'zod';
import { Refusal } from '../errors.ts';
import type { RouteContext } from './frame.ts';

/** The Postgres text type has no NUL. */
export const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((value) => !value.includes('\0'), 'no NUL');

/** The JSON body, of the given shape. Throws Refusal `invalid_request`, which names fields and never their values. */
export async function jsonBody<T>(context: Pick<RouteContext, 'body'>, shape: z.ZodType<T>): Promise<T> {
  return shaped(parsedJson(await context.body()), shape);
}

/** Throws Refusal `invalid_request` for what is no JSON text in UTF-8 (RFC 8259 §8.1). */
export function parsedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal('invalid_request', 'the body is no JSON', { detail: 'The body has to be JSON.' });
  }
}

/** Throws as jsonBody(). */
export function shaped<T>(value: unknown, shape: z.ZodType<T>): T {
  const { data, error, success } = shape.safeParse(value);
  if (success) return data;
  const places = [...new Set(error.issues.map((issue) => issue.path.join('.') || 'the body'))].slice(0, 10);
  const detail = `Not as it has to be: ${places.join(', ')}.`;
  throw new Refusal('invalid_request', `malformed: ${places.join(', ')}`, { detail });
}
