import type { JsonObject, JsonValue } from '../event.ts';

/** Names that hold secrets in Zitadel's events, whatever stands around the word: encodedHash, hashedPassword, clientSecret, verificationCode, … */
const SECRET_NAME = /hash|passw|secret|token|credential|otp|code$|private_?key|signature/i;

/** A password hash under a name nobody foresaw: PHC and modular crypt strings. */
const HASH_VALUE = /^\$(?:argon2|2[abxy]?\$|scrypt|pbkdf2|[1567]\$|[PHS]\$)/;

/** Beyond this an event is not one of Zitadel's. */
const MAX_DEPTH = 32;

/** A copy of parsed JSON without secrets, whatever the nesting, that Postgres can store. Throws RangeError for one nested too deeply. */
export function redact(object: Readonly<Record<string, unknown>>): JsonObject {
  return redactObject(object, 0);
}

function redactObject(object: object, depth: number): JsonObject {
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, value]) =>
      SECRET_NAME.test(name) ? [] : [[storable(name), redactValue(value, depth + 1)]],
    ),
  );
}

function redactValue(value: unknown, depth: number): JsonValue {
  if (depth > MAX_DEPTH) throw new RangeError('nested too deeply');
  if (typeof value === 'string') return HASH_VALUE.test(value) ? null : storable(value);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((item: unknown) => redactValue(item, depth + 1));
  return typeof value === 'object' && value !== null ? redactObject(value, depth) : null;
}

/** jsonb takes neither NUL nor half a surrogate pair. */
function storable(text: string): string {
  return text.replaceAll('\0', '').replace(/\p{Surrogate}/gu, '\uFFFD');
}
