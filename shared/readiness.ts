import type { MaybePromise } from './ports.ts';

export interface Look {
  readonly up: boolean;
  readonly state: string;
  readonly [detail: string]: unknown;
}

/** One dependency, as /ready shows it. */
export interface ReadinessCheck {
  readonly name: string;
  /** True: requests fail while it is away, so /ready answers 503. */
  readonly needed: boolean;
  /** A rejection means away. */
  look(): MaybePromise<Look>;
}
