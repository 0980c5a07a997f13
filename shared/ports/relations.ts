import type { MaybePromise } from './runtime.ts';

export interface RelationQuery {
  /** `user:<id>` */
  readonly user: string;
  readonly relation: string;
  /** `type:id` */
  readonly object: string;
  /** Values for conditions of the model. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** `fresh` skips the server's caches: for the check right after a change. */
  readonly consistency?: 'fast' | 'fresh';
}

/** Relationship checks. Throws `RelationsUnavailable` when the server is away or slow, `RelationsRefused` when it rejects the query; neither is ever false. */
export interface Relations {
  check(query: RelationQuery): MaybePromise<boolean>;
  ping(): Promise<void>;
}
