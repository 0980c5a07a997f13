/** Where a browser goes after sign-in unless it asks for another local path. */
export const HOME = '/';

/** It travels in a cookie. */
const MOST = 512;
/** Printable ASCII behind one slash; no backslash, which browsers take for a slash. */
const LOCAL = /^\/(?!\/)[!-[\]-~]*$/;
/** A slash, a backslash, a dot, a control character or a percent sign that a server behind may decode. */
const DECODED = /%(?:2f|5c|2e|[01][\da-f]|7f|25)/i;

/**
 * A local path with its query; HOME for whatever could lead elsewhere, in a browser or in a server that decodes once more. `origin`: our own.
 */
export function localPath(given: string | null, origin: string): string {
  if (given === null || given.length > MOST || !LOCAL.test(given)) return HOME;
  const [path = ''] = given.split(/[?#]/, 1);
  if (path.includes('//') || DECODED.test(path)) return HOME;
  try {
    // As a browser resolves it: dot segments and other rewriting show.
    return new URL(given, origin).href === origin + given ? given : HOME;
  } catch {
    return HOME;
  }
}
