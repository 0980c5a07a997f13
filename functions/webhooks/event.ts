import type { Proof } from '../../shared/proof.ts';
import type { Kind } from './kinds.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** `event`: a delivery of Actions v2; `script`: a body of an Actions v1 script; `reconcile`: asked for, since its delivery was missed. */
export type Source = 'event' | 'script' | 'reconcile';

/** What makes an event the same one when it comes again. */
export type EventKey =
  | { readonly instanceId: string; readonly sequence: number }
  /** Of a script's body; docs/webhooks.md says over what. */
  | { readonly digest: string };

/** One thing that happened to one user, or to an organisation of them. */
export interface UserEvent {
  readonly key: EventKey;
  readonly source: Source;
  readonly type: string;
  readonly kind: Kind;
  /** The provider's user id, checked by shared/subjects.ts; `org:<id>` of an organisation. */
  readonly subject: string;
  readonly organization: string | null;
  readonly payload: JsonObject;
  readonly occurredAt: Date | null;
}

/** An event that may be stored: well-formed and without secrets. Only parse.ts makes one. */
export type StorableEvent = Proof<UserEvent, 'parsed'>;
