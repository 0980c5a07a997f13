/** RFC 9110 §7.6.1: fields of an upstream's answer that are not forwarded, and those only the gateway may set. */
const STAYS_BEHIND = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
  'ratelimit',
  'ratelimit-policy',
]);

/** `nominated`: lower-case names that the answer's Connection field lists. */
export function passesOn(lower: string, ownsCors: boolean, nominated: readonly string[]): boolean {
  if (STAYS_BEHIND.has(lower) || nominated.includes(lower)) return false;
  return !(ownsCors && lower.startsWith('access-control-'));
}

const NONE: readonly string[] = [];

export function nominatedBy(connection: string | undefined): readonly string[] {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return NONE;
  return connection.split(',').map((name) => name.trim().toLowerCase());
}
