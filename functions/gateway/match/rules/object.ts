import { Refusal } from '../../../../shared/errors.ts';
import type { ObjectTemplate, Params, RelationAccess, TemplatePart } from '../types.ts';

export type ParsedTemplate =
  | { readonly ok: true; readonly object: ObjectTemplate; readonly names: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/** OpenFGA's limit on `type:id`, in bytes of UTF-8. */
const MAX_OBJECT_BYTES = 256;
const TYPE = /^[^:#@\s\p{Cc}{}*]{1,254}$/u;
// Invalid in an OpenFGA id: white space, `#`, `:`, Unicode control characters (U+0085 among them), lone surrogates.
const NOT_AN_ID = /[\s#:\p{Cc}\p{Cs}]/u;
const PLACEHOLDER = /\{([A-Za-z_][A-Za-z0-9_]*)\}/;

/** `document:{id}` or a fixed `type:id`. */
export function parseObject(text: string): ParsedTemplate {
  const colon = text.indexOf(':');
  if (colon < 0) return { ok: false, problem: 'write type:id, as in document:{id}' };
  const type = text.slice(0, colon);
  if (!TYPE.test(type)) return { ok: false, problem: `"${type}" is not an OpenFGA type` };
  const id = text.slice(colon + 1);
  // split() with one capturing group alternates text and names.
  const pieces = id.split(PLACEHOLDER);
  const texts = pieces.filter((_, at) => at % 2 === 0);
  const names = pieces.filter((_, at) => at % 2 === 1);
  if (texts.some((piece) => /[{}]/.test(piece)))
    return { ok: false, problem: 'a placeholder is written {name}' };
  const problem = badId(texts.join(''), names.length > 0);
  if (problem !== undefined) return { ok: false, problem };
  if (byteLength(text) > MAX_OBJECT_BYTES) return { ok: false, problem: 'longer than 256 bytes' };
  return { ok: true, object: names.length === 0 ? text : toParts(`${type}:`, pieces), names };
}

/** `x` and `feature:x` are the same object. */
export function parseFeature(text: string): ParsedTemplate {
  const object = text.startsWith('feature:') ? text : `feature:${text}`;
  if (object.includes(':', 'feature:'.length)) {
    return {
      ok: false,
      problem: 'a feature has no colon beyond feature:x; for another type use the field object',
    };
  }
  if (/[{}]/.test(object))
    return { ok: false, problem: 'a feature has no placeholders; use the field object' };
  if (object === 'feature:public_access' || object === 'feature:authenticated') {
    return { ok: false, problem: `write ${object.slice('feature:'.length)} without the type` };
  }
  return parseObject(object);
}

function badId(text: string, templated: boolean): string | undefined {
  if (NOT_AN_ID.test(text)) return 'an OpenFGA id has no white space, # or colon';
  if (templated) return undefined;
  if (text === '') return 'the id is empty';
  return text === '*' ? 'the id * would mean every object' : undefined;
}

function toParts(prefix: string, pieces: readonly string[]): TemplatePart[] {
  const parts = pieces.map((piece, at): TemplatePart => {
    if (at % 2 === 1) return { kind: 'param', name: piece };
    return { kind: 'text', text: at === 0 ? prefix + piece : piece };
  });
  return parts.filter((part) => part.kind === 'param' || part.text !== '');
}

/** The type of an object, or of all objects of a template. */
export function typeOf(object: ObjectTemplate): string {
  const [first] = typeof object === 'string' ? [{ kind: 'text', text: object } as const] : object;
  const text = first?.kind === 'text' ? first.text : '';
  return text.slice(0, text.indexOf(':'));
}

/**
 * Returns the OpenFGA object of a request. Throws Refusal `invalid_path` when a parameter's value is invalid in an
 * OpenFGA id: such a path names no object, so there is nothing to check.
 */
export function objectOf(access: RelationAccess, params: Params): string {
  if (typeof access.object === 'string') return access.object;
  let object = '';
  for (const part of access.object) object += part.kind === 'text' ? part.text : idPart(part.name, params);
  if (object.endsWith(':*')) throw refuse('a path parameter is *, which would mean every object');
  if (object.length * 3 > MAX_OBJECT_BYTES && byteLength(object) > MAX_OBJECT_BYTES) {
    throw refuse('the path parameters make a name of more than 256 bytes');
  }
  return object;
}

function idPart(name: string, params: Params): string {
  const value = params[name];
  if (value === undefined || value === '') throw refuse(`the path parameter "${name}" is empty`);
  if (NOT_AN_ID.test(value))
    throw refuse(`the path parameter "${name}" has white space, #, a colon or a control character`);
  return value;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function refuse(reason: string): Refusal {
  return new Refusal('invalid_path', reason, { detail: `The path names no object: ${reason}.` });
}
