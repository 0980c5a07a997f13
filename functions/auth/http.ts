import * as z from 'zod';
import type { RouteContext } from '../../shared/edge/frame.ts';
import { Refusal } from '../../shared/errors.ts';

/** The Postgres text type has no NUL. */
export const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((value) => !value.includes('\0'), 'no NUL');

/** RFC 5321 §4.5.3.1.3 ends an address at 254 octets, and users.email at 255 characters. */
export const mail = text(255);

/** Far over the 72 bytes that bcrypt compares. */
export const password = z.string().min(1).max(1_024);

/** The JSON body, of the given shape. Throws Refusal `invalid_request`, which names fields and never their values. */
export async function jsonBody<T>(context: Pick<RouteContext, 'body'>, shape: z.ZodType<T>): Promise<T> {
  return shaped(parsed(await context.body()), shape);
}

/** The same, of a request that may have no body. */
export async function optionalBody<T>(context: Pick<RouteContext, 'body'>, shape: z.ZodType<T>): Promise<T> {
  const bytes = await context.body();
  return shaped(bytes.length === 0 ? {} : parsed(bytes), shape);
}

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

export function isForm({ headers }: Pick<Request, 'headers'>): boolean {
  return FORM.test(headers.get('content-type') ?? '');
}

/** Fields of a form, of the given shape. Throws as jsonBody(). */
export async function formBody<T>(context: Pick<RouteContext, 'body'>, shape: z.ZodType<T>): Promise<T> {
  const fields = new URLSearchParams(new TextDecoder().decode(await context.body()));
  return shaped(Object.fromEntries(fields), shape);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal('invalid_request', 'the body is no JSON', { detail: 'The body has to be JSON.' });
  }
}

export function shaped<T>(value: unknown, shape: z.ZodType<T>): T {
  const { data, error, success } = shape.safeParse(value);
  if (success) return data;
  const places = [...new Set(error.issues.map((issue) => issue.path.join('.') || 'the body'))].slice(0, 10);
  const detail = `Not as it has to be: ${places.join(', ')}.`;
  throw new Refusal('invalid_request', `malformed: ${places.join(', ')}`, { detail });
}

/** What no cache keeps. */
const UNCACHED = { 'cache-control': 'no-store' };

export function answerJson(body: unknown, status = 200): Response {
  return Response.json(body, { status, headers: UNCACHED });
}

export function noContent(): Response {
  return new Response(null, { status: 204, headers: UNCACHED });
}

/** A redirect whose target gets no Referer. */
export function seeOther(location: string): Response {
  const headers = { ...UNCACHED, location, 'referrer-policy': 'no-referrer' };
  return new Response(null, { status: 303, headers });
}
