const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A text as a uuid in lower case (RFC 9562 §4); null where it is none. */
export function uuidOf(text: string): string | null {
  return UUID.test(text) ? text.toLowerCase() : null;
}

/** 32 hex digits in the form of a uuid. */
export function uuidOfHex(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
