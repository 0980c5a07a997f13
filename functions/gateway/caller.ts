import ipaddr from 'ipaddr.js';
import type { Proof } from '../../shared/proof.ts';

/** Who is limited: `<issuer name>|<subject>` or `address|<address>`. No issuer is named `address`. */
export type Caller = Proof<string, 'caller'>;

const IPV6_PREFIX_PARTS = 4;

/** The principal's own quota, or that of the address when nobody is signed in. */
export function callerOf(principal: { readonly caller: string } | undefined, address: string): Caller {
  return (principal?.caller ?? `address|${network(address)}`) as Caller;
}

/**
 * An IPv4 address as it is, an IPv6 address by its /64 (what one customer usually owns, RFC 6177);
 * all that is no address shares one name.
 */
export function network(address: string): string {
  if (!ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const prefix = parsed.parts.slice(0, IPV6_PREFIX_PARTS).map((part) => part.toString(16));
  return `${prefix.join(':')}::/64`;
}
