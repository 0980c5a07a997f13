import * as z from 'zod';
import type { RouteContext } from '../../shared/edge/frame.ts';
import { parsedJson, shaped, text } from '../../shared/edge/json-body.ts';

/** RFC 5321 §4.5.3.1.3 ends an address at 254 octets, and users.email at 255 characters. */
export const mail = text(255);

/** Far over the 72 bytes that bcrypt compares. */
export const password = z.string().min(1).max(1_024);

/** As jsonBody(), of a request that may have no body. */
export async function optionalBody<T>(context: Pick<RouteContext, 'body'>, shape: z.ZodType<T>): Promise<T> {
  const bytes = await context.body();
  return shaped(bytes.length === 0 ? {} : parsedJson(bytes), shape);
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
