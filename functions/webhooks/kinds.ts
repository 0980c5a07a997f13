/** What an event means to us. */
export type Kind = 'created' | 'changed' | 'suspended' | 'restored' | 'removed';

/** Event types of Zitadel that something here handles; `script.*` are the bodies of Actions v1 scripts. */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
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
  ['script.user.created', 'created'],
  ['script.user.updated', 'changed'],
  ['script.user.deleted', 'removed'],
]);

/** For those who ask the provider for the events they missed. */
export const HANDLED_EVENT_TYPES: readonly string[] = [...KINDS.keys()].filter(
  (type) => !type.startsWith('script.'),
);

export function kindOf(type: string): Kind | undefined {
  return KINDS.get(type);
}

/** What takes access away does not wait behind an event that fails. */
export function isUrgent(kind: Kind): boolean {
  return kind === 'suspended' || kind === 'removed';
}
