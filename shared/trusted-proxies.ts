import ipaddr from 'ipaddr.js';

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface TrustedProxies {
  trusts(address: string): boolean;
  /** The nearest address of X-Forwarded-For that is not a trusted proxy; `peer` when there is none. */
  client(peer: string, forwardedFor: string): string;
}

/** `cidrs` are addresses or CIDRs, already checked by shared/env.ts. */
export function trustedProxies(cidrs: readonly string[]): TrustedProxies {
  const ranges = cidrs.map(toRange);
  // Proxies are few and constant: their verdicts are kept, so that a request does not parse its peer again.
  const verdicts = new Map<string, boolean>();
  const trusts = (address: string): boolean => {
    if (ranges.length === 0) return false;
    const known = verdicts.get(address);
    if (known !== undefined) return known;
    const verdict = inRanges(address, ranges);
    if (verdicts.size >= 1024) verdicts.clear();
    verdicts.set(address, verdict);
    return verdict;
  };
  return {
    trusts,
    client(peer, forwardedFor) {
      // Right to left: each trusted hop vouches for the one before it; the first stranger is the caller.
      const hops = forwardedFor.split(',').map((hop) => hop.trim());
      let client = peer;
      for (let i = hops.length - 1; i >= 0 && trusts(client); i--) {
        const hop = hops[i] ?? '';
        if (!ipaddr.isValid(hop)) break;
        client = ipaddr.process(hop).toString();
      }
      return client;
    },
  };
}

function toRange(cidr: string): Range {
  if (cidr.includes('/')) return ipaddr.parseCIDR(cidr);
  const address = ipaddr.parse(cidr);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function inRanges(address: string, ranges: readonly Range[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  // process() reads ::ffff:10.0.0.1, as dual-stack sockets report it, as the IPv4 address it is.
  const parsed = ipaddr.process(address);
  return ranges.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match([network, bits]));
}
