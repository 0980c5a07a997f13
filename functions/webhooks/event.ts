import type { Proof } from '../../shared/proof.ts';
import { organizationSubject } from '../../shared/identity/subjects.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** `event`: a delivery of Actions v2; `script`: a body of an Actions v1 script; `reconcile`: fetched, since its delivery was missed. */
export type Source = 'event' | 'script' | 'reconcile';

/** Identity of an event across repeated deliveries. */
export type EventKey =
  | { readonly instanceId: string; readonly sequence: number }
  /** Of a script's body; docs/webhooks.md defines it. */
  | { readonly digest: string };

/** One event of one user, or of one organisation. */
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

/** The effect of an event. */
export type Kind =
  'created' | 'changed' | 'suspended' | 'restored' | 'removed' | 'organization_removed' | 'linked';

/** Handled event types of Zitadel. */
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

/** Zitadel raises no `user.removed` for the users of a removed organisation: one of these is stored per user. */
export const REMOVED_WITH_ORGANIZATION = 'org.removed.user';

/** Stored by the database when an account is linked to a user of another id: a trigger on sallyport_links. */
export const LINKED = 'account.linked';

/** Types made here: bodies of Actions v1 scripts, and the above. */
const MADE: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['script.user.created', 'created'],
  ['script.user.updated', 'changed'],
  ['script.user.deleted', 'removed'],
  [REMOVED_WITH_ORGANIZATION, 'removed'],
  [LINKED, 'linked'],
]);

/** For queries to the provider for missed events. */
export const HANDLED_EVENT_TYPES: readonly string[] = [...DELIVERED.keys()];

/** Types that create a user. */
export const CREATION_TYPES: readonly string[] = HANDLED_EVENT_TYPES.filter(
  (type) => DELIVERED.get(type) === 'created',
);

/** Types that give access. */
export const RESTORING_TYPES: readonly string[] = HANDLED_EVENT_TYPES.filter((type) =>
  isRestoring(DELIVERED.get(type)),
);

/** Of an event raised by the provider; undefined for unhandled types. */
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

/** A withdrawal does not wait behind a failing event. */
export function isUrgent(kind: Kind): boolean {
  return kind === 'suspended' || kind === 'removed' || kind === 'organization_removed';
}

export function organizationIdOf(subject: string): string {
  return subject.slice(organizationSubject('').length);
}
