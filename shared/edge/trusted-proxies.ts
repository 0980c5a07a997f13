import ipaddr from 'ipaddr.js';

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface TrustedProxies {
  trusts(address: string): boolean;
  /** The nearest address of X-Forwarded-For that is not a trusted proxy; `peer` when there is none. Of several lines, joined. */
  client(peer: string, forwardedFor: string | undefined): string;
}

/** `cidrs` are addresses or CIDRs, already checked by shared/configuration/server.ts. */
export function trustedProxies(cidrs: readonly string[]): TrustedProxies {
  const ranges = cidrs.map(toRange);
  // Proxies are few and constant: verdicts are cached, so that a request does not parse its peer again.
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
      let client = plain(peer);
      if (forwardedFor === undefined || !trusts(peer)) return client;
      // Right to left: each trusted hop vouches for the one before it; the first untrusted one is the caller.
      const hops = forwardedFor.split(',');
      for (let i = hops.length - 1; i >= 0 && trusts(client); i--) {
        const hop = (hops[i] ?? '').trim();
        // RFC 9110 §5.6.1.2: empty elements of a list are ignored.
        if (hop === '') continue;
        const address = addressOf(hop);
        // `unknown`, `_hidden` or no address at all: the proxy that sent it is the nearest known address.
        if (address === undefined) break;
        client = address;
      }
      return client;
    },
  };
}

const BRACKETED = /^\[([^\]]*)\](?::\d{0,5})?$/;
const IPV4_PORT = /^([\d.]+):\d{0,5}$/;

/**
 * The normalised address of one element of X-Forwarded-For: load balancers write ports, brackets and IPv4 in IPv6 form.
 * Undefined for anything else, including short and octal forms (`10.1`, `010.0.0.1`).
 */
function addressOf(hop: string): string | undefined {
  const bare = BRACKETED.exec(hop)?.[1] ?? IPV4_PORT.exec(hop)?.[1] ?? hop;
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return hop.startsWith('[') ? undefined : bare;
  // A zone is meaningful only on the host that wrote it (RFC 4007 §11).
  const [address = ''] = bare.split('%', 1);
  return address.includes(':') && ipaddr.isValid(address) ? ipaddr.process(address).toString() : undefined;
}

/** Dual-stack sockets report IPv4 peers as ::ffff:192.0.2.1. */
function plain(peer: string): string {
  return peer.startsWith('::ffff:') && peer.includes('.') ? peer.slice(7) : peer;
}

function toRange(cidr: string): Range {
  const [address = '', bits] = cidr.split('/');
  const parsed = ipaddr.parse(address);
  const most = parsed.kind() === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? most : ipaddr.parseCIDR(cidr)[1];
  const mapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && length >= 96;
  return mapped ? [parsed.toIPv4Address(), length - 96] : [parsed, length];
}

/** The nearest proxy's X-Forwarded-Proto or -Host: the last element, if well-formed. */
export function nearest(field: string | undefined, form: RegExp): string | undefined {
  if (field === undefined) return undefined;
  const last = field.slice(field.lastIndexOf(',') + 1).trim();
  return form.test(last) ? last : undefined;
}

function inRanges(address: string, ranges: readonly Range[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  // process() reads ::ffff:10.0.0.1, as dual-stack sockets report it, as IPv4.
  const parsed = ipaddr.process(address);
  return ranges.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match([network, bits]));
}
