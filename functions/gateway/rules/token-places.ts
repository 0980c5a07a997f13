import * as z from 'zod';

/** Where a rule lets a token stand. */
export type TokenPlace =
  | { readonly kind: 'header' }
  | { readonly kind: 'protocol' }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string };

/** RFC 6265 §4.1.1 names of cookies; names of parameters that need no encoding. */
const PLACE = /^(?:header|protocol|cookie:[\w!#$%&'*+.^`|~-]+|query:[\w.~-]+)$/;
const problem = 'write header, protocol, cookie:NAME or query:NAME';

export const tokenDefinition = z
  .array(z.string(problem).regex(PLACE, problem), 'write a list, as in ["header", "cookie:sid"]')
  .min(1, 'name at least one place')
  .refine((places) => new Set(places).size === places.length, 'a place is named twice');

/** Undefined for the header alone, where nearly all tokens are. */
export function placesOf(written: readonly string[] | undefined): readonly TokenPlace[] | undefined {
  if (written === undefined || (written.length === 1 && written[0] === 'header')) return undefined;
  return written.map((place) => {
    const colon = place.indexOf(':');
    const name = place.slice(colon + 1);
    if (place.startsWith('cookie:')) return { kind: 'cookie', name };
    if (place.startsWith('query:')) return { kind: 'query', name };
    return { kind: place === 'protocol' ? 'protocol' : 'header' };
  });
}
