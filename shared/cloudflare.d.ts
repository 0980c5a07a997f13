/** The one import that only workerd can resolve. */
declare module 'cloudflare:workers' {
  /** The bindings of wrangler.toml. */
  export const env: Readonly<Record<string, unknown>>;
  export function waitUntil(work: Promise<unknown>): void;
}

/** Streams of workerd that move bytes without a copy into JavaScript, and keep the framing by length. */
declare class IdentityTransformStream extends TransformStream<Uint8Array, Uint8Array> {}
declare class FixedLengthStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor(length: number);
}
