const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A text as a uuid in lower case (RFC 9562 §4); null where it is none. */
export function uuidOf(text: string): string | null {
  return UUID.test(text) ? text.toLowerCase() : null;
}

/** 32 hex digits in the form of a uuid. */
export function uuidOfHex(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * The uuid that some server reads a text as: in capitals, in braces, as a URN, with hyphens after any digits or none, as Postgres,
 * Python and others take it; null where it is none.
 */
export function uuidReadIn(text: string): string | null {
  const digits = text.toLowerCase().replace(/urn:|uuid:|[{}()-]/g, '');
  return /^[0-9a-f]{32}$/.test(digits) ? uuidOfHex(digits) : null;
}
