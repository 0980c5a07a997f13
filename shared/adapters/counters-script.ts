import { createHash } from 'node:crypto';

/** A Lua script and the SHA-1 by which EVALSHA knows it. */
export interface Script {
  readonly sha: string;
  readonly source: string;
}

/**
 * GCRA (generic cell rate algorithm, ITU-T I.371, as a virtual schedule) with a burst of the whole limit.
 * KEYS: 1 = the account, 2 = the caller's revocation mark. ARGV: 1 = microseconds per request, 2 = limit.
 * Answers {allowed, remaining, microseconds until full, microseconds until the next, revoked}.
 *
 * The clock is the store's, so that gateways whose clocks differ agree. Microseconds since the epoch stay whole and far
 * below 2^53 in Lua's doubles; '%.0f' because stores differ in how many digits of a bare number they pass on.
 */
export const TAKE = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local step = tonumber(ARGV[1])
local burst = step * tonumber(ARGV[2])
local found = redis.call('MGET', KEYS[1], KEYS[2])
local stored = tonumber(found[1] or now) or now
-- Not beyond one window: after a fail-over to a store whose clock is behind nobody stays shut out for longer.
local used = math.min(math.max(stored - now, 0), burst)
local wait = used + step - burst
local allowed = wait <= 0
if allowed then used = used + step end
if allowed or stored > now + burst then
  -- One millisecond more: the store counts expiry in whole ones, and an account must not be forgotten early.
  local ttl = math.ceil(used / 1000) + 1
  redis.call('SET', KEYS[1], string.format('%.0f', now + used), 'PX', string.format('%.0f', ttl))
end
return {
  allowed and 1 or 0,
  math.floor((burst - used) / step),
  used,
  allowed and 0 or wait,
  found[2] and 1 or 0
}
`);

/** Marks KEYS[1] for ARGV[1] seconds; never shortens a mark, and leaves no moment without one. */
export const REVOKE = script(`
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
end
return 1
`);

function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}
