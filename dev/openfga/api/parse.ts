import type * as z from 'zod';
import { FgaError, isErrorCode, validationError, type ErrorCode } from '../errors.ts';

/** Parses a request or answers every fault of it in one message; the first one decides the code. */
export function parseRequest<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  const message = result.error.issues.map(describe).join('; ');
  throw new FgaError(codeOf(first), message);
}

/** A body must be one JSON object; nulls go, because in proto3 JSON they mean "not given". */
export function parseBody(text: string): Record<string, unknown> {
  if (text.trim() === '') return {};
  const body = parseJson(text);
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body };
  throw validationError('syntax error: unexpected token, expected an object');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) => (value === null ? undefined : value));
  } catch {
    throw validationError('malformed JSON');
  }
}

function describe(issue: z.core.$ZodIssue): string {
  return issue.code === 'custom' ? issue.message : `invalid value for field ${issue.path.join('.')}`;
}

function codeOf(issue: z.core.$ZodIssue | undefined): ErrorCode {
  const code: unknown = issue?.code === 'custom' ? issue.params?.['code'] : undefined;
  return isErrorCode(code) ? code : 'validation_error';
}
