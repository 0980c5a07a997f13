/** The one import that only workerd can resolve. */
declare module 'cloudflare:workers' {
  export function waitUntil(work: Promise<unknown>): void;
}
