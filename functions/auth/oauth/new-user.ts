import type { Clock, Random } from '../../../shared/ports/runtime.ts';
import type { ProviderAccount } from '../../../shared/ports/sign-in.ts';
import { uuidOf, uuidOfHex } from '../../../shared/uuid.ts';

interface IdDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The account's own id where it is a uuid that no user has, so that relations need no mapping; else a new one. `shared`: subjects of its
 * issuer are ids of ours. An administrator of another issuer could choose the id of a user who has not signed in yet.
 */
export function newUserId(
  { subject }: Pick<ProviderAccount, 'subject'>,
  { shared, taken }: { readonly shared: boolean; readonly taken: boolean },
  deps: IdDeps,
): string {
  const uuid = uuidOf(subject);
  return uuid === null || taken || !shared ? uuidV7(deps) : uuid;
}

/** RFC 9562 §5.7, as the database's own ids. */
function uuidV7({ clock, random }: IdDeps): string {
  const time = clock.now().toString(16).padStart(12, '0');
  const [a, b] = [random.hex(2).slice(1), random.hex(8)];
  const variant = ((Number.parseInt(b.slice(0, 1), 16) & 0b11) | 0b1000).toString(16);
  return uuidOfHex(`${time}7${a}${variant}${b.slice(1)}`);
}

/** Where the account has no address: RFC 2606 keeps `.invalid` from ever being delivered to. */
export function placeholderMail(userId: string): string {
  return `${userId}@no-address.invalid`;
}
