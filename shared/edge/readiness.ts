import type { RequestCheck } from '../checks/requests.ts';
import type { MaybePromise } from '../ports/runtime.ts';

/** Fixed words: public, so never a provider's text. */
export type State =
  | 'up'
  | 'away'
  | 'no answer in time'
  | 'fresh'
  | 'stale'
  | 'none'
  | 'memory'
  | 'redis'
  | 'upstash'
  | 'not tried yet'
  | 'loaded'
  | 'fits'
  | 'lacks what rules ask'
  | 'empty'
  | 'applying'
  | 'events set aside'
  | 'sending'
  | 'paused'
  | 'mails set aside'
  | 'running'
  | 'waiting'
  | 'done'
  | 'unchanged'
  | 'refused'
  | 'failed';

export interface Look {
  readonly up: boolean;
  readonly state: State;
  /** Errors, ages, counts: shown with METRICS_TOKEN only. */
  readonly [detail: string]: unknown;
}

/** One dependency in /ready. */
export interface ReadinessCheck {
  readonly name: string;
  /** The check of the registry that looks at the same more closely. */
  readonly check: RequestCheck;
  /** True: requests fail while it is away, so /ready answers 503. A function where it changes with the rules in force. */
  readonly needed: boolean | (() => boolean);
  /** A rejection means away. */
  look(): MaybePromise<Look>;
}
