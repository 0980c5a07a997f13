/** True for `npm run test:long` and CI: what takes long for its own sake runs in full. */
export const FULL = process.env['SALLYPORT_LONG'] === '1';

/** How often: in full, or in a form that is small and yet shows the same. */
export const times = (full: number, small: number): number => (FULL ? full : small);

/**
 * Each of the kinds in full; else the last of those that are here, the real one. That both keep the same promises is shown
 * by test/contracts/ every time.
 */
export function kindsOf<T extends { readonly missing: boolean }>(kinds: readonly T[]): readonly T[] {
  return FULL ? kinds : kinds.filter(({ missing }) => !missing).slice(-1);
}
