/** True for `npm run test:long` and CI: what takes long for its own sake runs in full. */
export const FULL = process.env['SALLYPORT_LONG'] === '1';

/** How often: in full, or in a form that is small and yet shows the same. */
export const times = (full: number, small: number): number => (FULL ? full : small);
