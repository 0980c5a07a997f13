import { addressCaller } from '../../shared/edge/address-guard.ts';
import type { Proof } from '../../shared/proof.ts';
import { organizationSubject } from '../../shared/subjects.ts';
import type { Principal } from './authenticate/principal.ts';

/** Who is limited: `<issuer name>|<subject>` or `address|<address>`. */
export type Caller = Proof<string, 'caller'>;

/** The principal's own quota, or that of the address when nobody is signed in. */
export function callerOf(principal: { readonly caller: string } | undefined, address: string): Caller {
  return (principal?.caller ?? addressCaller(address)) as Caller;
}

/** What marks call the organisation that a token names, `<issuer name>|org:<id>`; undefined where it names none. */
export function organizationOf(principal: Principal | undefined): string | undefined {
  if (principal?.organization === undefined) return undefined;
  return `${principal.issuerName}|${organizationSubject(principal.organization)}`;
}
