import { createHash } from 'node:crypto';

/** A Lua script and its SHA-1, for EVALSHA. */
export interface Script {
  readonly sha: string;
  readonly source: string;
}

/**
 * A sliding window: never more than the limit in any stretch of its length. Requests that come close to one another share
 * an entry, `first last:count last:count …` in microseconds, of which only the newest needs its `first`.
 * KEYS: 1 = the window, 2 = the caller's withdrawal, 3 = what is left of it once it was taken back.
 * ARGV: 1 = limit, 2 = window, 3 = grain (shared/counting/rate.ts), 4 = the key that an emptied store lacks, 5 = the withdrawal of the
 * caller's organisation, or ''.
 * Answers {allowed, remaining, microseconds until all is free, microseconds until one is, withdrawal, rest of it, store,
 * the organisation's withdrawal}.
 *
 * The clock is the store's, so that gateways whose clocks differ agree. Microseconds since the epoch stay whole and far
 * below 2^53 in Lua's doubles; '%.0f' because stores differ in how many digits of a bare number they pass on.
 * ARGV[4] and ARGV[5] are no declared keys: a cluster would refuse a script whose keys live on different nodes. There the
 * store answers '-', and no organisation's withdrawal is read.
 */
export const TAKE = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local limit, window, grain = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local found = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3])
local lasts, counts, n, used, first, moved = {}, {}, 0, 0, 0, false
if found[1] then
  first = math.min(tonumber(string.match(found[1], '^%d+')), now)
  for last, count in string.gmatch(found[1], ' (%d+):(%d+)') do
    last = tonumber(last)
    -- After a fail-over to a store whose clock is behind nobody stays shut out for longer than one window.
    if last > now then last, moved = now, true end
    if last > now - window then
      n = n + 1
      lasts[n], counts[n] = last, tonumber(count)
      used = used + counts[n]
    end
  end
end
local allowed = used < limit
local wait = 0
if allowed then
  if n > 0 and now - first <= grain then
    lasts[n], counts[n] = now, counts[n] + 1
  else
    n = n + 1
    lasts[n], counts[n], first = now, 1, now
  end
  used = used + 1
else
  local left = used
  for i = 1, n do
    left = left - counts[i]
    if left < limit then
      wait = lasts[i] + window - now
      break
    end
  end
end
local reset = n > 0 and lasts[n] + window - now or 0
if allowed or moved then
  local parts = { string.format('%.0f', first) }
  for i = 1, n do parts[i + 1] = string.format('%.0f:%.0f', lasts[i], counts[i]) end
  -- One millisecond more: the store counts expiry in whole ones, and a window must not be forgotten early.
  redis.call('SET', KEYS[1], table.concat(parts, ' '), 'PX', string.format('%.0f', math.ceil(reset / 1000) + 1))
end
local store = redis.pcall('GET', ARGV[4])
if type(store) == 'table' then store = '-' end
local organization = ARGV[5] ~= '' and redis.pcall('GET', ARGV[5])
if type(organization) == 'table' then organization = false end
return {
  allowed and 1 or 0,
  math.max(limit - used, 0),
  reset,
  wait,
  found[2] or '',
  found[3] or '',
  store or '',
  organization or ''
}
`);

/**
 * Marks a caller unless a newer mark is there. KEYS: 1 = the withdrawal, 2 = what is left of it once it was taken back.
 * ARGV: 1 = version, 2 = milliseconds since the epoch up to which tokens do not count, or '' for all, 3 = seconds.
 * Two keys, because instances of an older version take whatever stands in the first for a withdrawal, and delete it when
 * the user is back: what they write there has no version, and no newer mark is undone by it.
 */
export const MARK = script(`
local version = tonumber(ARGV[1])
for _, value in ipairs({ redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or '' }) do
  local known = string.match(value, '^v(-?%d+)')
  if known and tonumber(known) > version then return 0 end
end
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], 'v' .. ARGV[1], 'EX', ARGV[3])
else
  redis.call('SET', KEYS[2], 'v' .. ARGV[1] .. ' ' .. ARGV[2], 'EX', ARGV[3])
  redis.call('DEL', KEYS[1])
end
return 1
`);

function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}
