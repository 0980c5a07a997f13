import { addressCaller } from '../../shared/edge/address-guard.ts';
import type { Proof } from '../../shared/proof.ts';

/** Who is limited: `<issuer name>|<subject>` or `address|<address>`. */
export type Caller = Proof<string, 'caller'>;

/** The principal's own quota, or that of the address when nobody is signed in. */
export function callerOf(principal: { readonly caller: string } | undefined, address: string): Caller {
  return (principal?.caller ?? addressCaller(address)) as Caller;
}
