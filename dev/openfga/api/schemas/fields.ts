import * as z from 'zod';
import type { ErrorCode } from '../../errors.ts';

/**
 * Field rules as OpenFGA's generated validators state them. Absent and null are the empty value (proto3 JSON), and
 * each fault carries the code it is answered with; `api/parse.ts` reads it from there.
 */
interface Fault {
  readonly error: string;
  readonly params: { readonly code: ErrorCode };
}

export const ULID = /^[ABCDEFGHJKMNPQRSTVWXYZ0-9]{26}$/;
export const TYPE_NAME = /^[^:#@\s]{1,254}$/;
export const RELATION_NAME = /^[^:#@\s]{1,50}$/;
export const CONTINUATION_TOKEN = /^$|^[A-Za-z0-9-_]+={0,2}$/;

export function fault(field: string, reason: string, code: ErrorCode = 'validation_error'): Fault {
  return { error: `invalid ${field}: ${reason}`, params: { code } };
}

export function patternFault(field: string, pattern: RegExp, code: ErrorCode = 'validation_error'): Fault {
  return fault(
    field,
    `value does not match regex pattern "${pattern.source.replaceAll('\\', '\\\\')}"`,
    code,
  );
}

/** Go reads \s as white space of ASCII alone, and counts characters, not their halves. */
function asInGo({ source }: RegExp): RegExp {
  return new RegExp(source.replaceAll('\\s', '\\t\\n\\f\\r '), 'u');
}

/** The empty string must match too. */
export function matching(field: string, pattern: RegExp, code: ErrorCode = 'validation_error') {
  const exact = asInGo(pattern);
  return z
    .string()
    .default('')
    .refine((value) => exact.test(value), patternFault(field, pattern, code));
}

/** The empty string stands for "not given". */
export function matchingIfSet(field: string, pattern: RegExp, code: ErrorCode = 'validation_error') {
  const exact = asInGo(pattern);
  return z
    .string()
    .default('')
    .refine((value) => value === '' || exact.test(value), patternFault(field, pattern, code));
}

export function typeName(field: string) {
  return matching(field, TYPE_NAME, 'type_invalid_pattern');
}

export function atMostBytes(field: string, limit: number) {
  return z
    .string()
    .default('')
    .refine(
      (value) => Buffer.byteLength(value) <= limit,
      fault(field, `value length must be at most ${limit} bytes`),
    );
}

export function required<S extends z.ZodType>(
  field: string,
  schema: S,
  code: ErrorCode = 'validation_error',
) {
  return schema.optional().transform((value, context) => {
    if (value !== undefined) return value;
    const { error, params } = fault(field, 'value is required', code);
    context.addIssue({ code: 'custom', message: error, params });
    return z.NEVER;
  });
}

/** proto3 JSON writes an int32 as a number or as digits in a string. */
const integer = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
]);

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 100;

export function pageSize(field: string) {
  return integer
    .default(DEFAULT_PAGE_SIZE)
    .refine((size) => size >= 1 && size <= MAX_PAGE_SIZE, outsidePageRange(field));
}

/** The change log words the lower bound differently, and so answers it with another code. */
export function changesPageSize(field: string) {
  return integer
    .default(DEFAULT_PAGE_SIZE)
    .refine((size) => size >= 1, fault(field, 'value must be greater than or equal to 1'))
    .refine((size) => size <= MAX_PAGE_SIZE, outsidePageRange(field));
}

function outsidePageRange(field: string): Fault {
  return fault(field, `value must be inside range [1, ${MAX_PAGE_SIZE}]`, 'page_size_invalid');
}

/** An unknown name is ignored, an unknown number refused: that is how protobuf reads enums here. */
export function consistency(field: string) {
  const KNOWN = [0, 100, 200];
  return z
    .union([z.string(), z.number()])
    .optional()
    .refine(
      (value) => typeof value !== 'number' || KNOWN.includes(value),
      fault(field, 'value must be one of the defined enum values'),
    );
}

export function atMost<S extends z.ZodType>(
  field: string,
  item: S,
  limit: number,
  code: ErrorCode = 'validation_error',
) {
  return z
    .array(item)
    .default([])
    .refine(
      (items) => items.length <= limit,
      fault(field, `value must contain no more than ${limit} item(s)`, code),
    );
}

export function atLeastOne<S extends z.ZodType>(
  field: string,
  item: S,
  code: ErrorCode = 'validation_error',
) {
  return z
    .array(item)
    .default([])
    .refine((items) => items.length > 0, fault(field, 'value must contain at least 1 item(s)', code));
}
