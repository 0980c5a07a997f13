/** The one import that only workerd can resolve. */
declare module 'cloudflare:workers' {
  /** The bindings of wrangler.toml. */
  export const env: Readonly<Record<string, unknown>>;
  export function waitUntil(work: Promise<unknown>): void;
}
