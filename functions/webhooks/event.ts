import type { Proof } from '../../shared/proof.ts';
import { organizationSubject } from '../../shared/identity/subjects.ts';

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
  /** The provider's user id, checked by shared/identity/subjects.ts; `org:<id>` of an organisation. */
  readonly subject: string;
  readonly organization: string | null;
  readonly payload: JsonObject;
  readonly occurredAt: Date | null;
}

/** An event that may be stored: well-formed and without secrets. Only parse.ts makes one. */
export type StorableEvent = Proof<UserEvent, 'parsed'>;

/** What an event means to us. */
export type Kind = 'created' | 'changed' | 'suspended' | 'restored' | 'removed' | 'organization_removed';

/** Event types of Zitadel that something here handles. */
const DELIVERED: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['user.human.added', 'created'],
  ['user.human.selfregistered', 'created'],
  ['user.machine.added', 'created'],
  ['user.username.changed', 'changed'],
  ['user.domain.claimed', 'changed'],
  ['user.human.email.changed', 'changed'],
  ['user.deactivated', 'suspended'],
  ['user.locked', 'suspended'],
  ['user.reactivated', 'restored'],
  ['user.unlocked', 'restored'],
  ['user.removed', 'removed'],
  ['org.removed', 'organization_removed'],
]);

/** Zitadel raises no `user.removed` for the people of a removed organisation: one of these is stored for each of them. */
export const REMOVED_WITH_ORGANIZATION = 'org.removed.user';

/** Types that are made here: bodies of Actions v1 scripts, and the above. */
const MADE: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['script.user.created', 'created'],
  ['script.user.updated', 'changed'],
  ['script.user.deleted', 'removed'],
  [REMOVED_WITH_ORGANIZATION, 'removed'],
]);

/** For those who ask the provider for the events they missed. */
export const HANDLED_EVENT_TYPES: readonly string[] = [...DELIVERED.keys()];

/** Types by which a user begins. */
export const CREATION_TYPES: readonly string[] = HANDLED_EVENT_TYPES.filter(
  (type) => DELIVERED.get(type) === 'created',
);

/** Types that give access. */
export const RESTORING_TYPES: readonly string[] = HANDLED_EVENT_TYPES.filter((type) =>
  isRestoring(DELIVERED.get(type)),
);

/** Of an event that the provider raised; undefined for all that nothing handles. */
export function deliveredKindOf(type: string): Kind | undefined {
  return DELIVERED.get(type);
}

/** Of an event in the inbox. */
export function kindOf(type: string): Kind | undefined {
  return DELIVERED.get(type) ?? MADE.get(type);
}

export function isRestoring(kind: Kind | undefined): boolean {
  return kind === 'created' || kind === 'restored';
}

/** What takes access away does not wait behind an event that fails. */
export function isUrgent(kind: Kind): boolean {
  return kind === 'suspended' || kind === 'removed' || kind === 'organization_removed';
}

export function organizationIdOf(subject: string): string {
  return subject.slice(organizationSubject('').length);
}
