import { decodeProtectedHeader } from 'jose';

/** Three parts with a JSON object in front: a signed token. Anything else is opaque (RFC 7662). */
export function isJws(token: string): boolean {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 0 || second < 0 || token.includes('.', second + 1)) return false;
  try {
    decodeProtectedHeader(token);
    return true;
  } catch {
    return false;
  }
}
