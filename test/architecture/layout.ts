/** What runs in production. */
export const PRODUCT = ['functions', 'shared', 'cli'] as const;
export const ADAPTERS = 'shared/adapters';

/** Whether a path is one of these files, or lies below one of these folders. */
export function inside(path: string, ...places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`));
}

/** The files directly in functions/, and the Node entry's own in functions/node/: they mount the functions and know them all. */
export function inMap(path: string): boolean {
  return /^functions\/(?:node\/)?[^/]+\.ts$/.test(path);
}
