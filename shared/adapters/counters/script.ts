import { createHash } from 'node:crypto';

/** A Lua script and its SHA-1, for EVALSHA. */
export interface Script {
  readonly sha: string;
  readonly source: string;
}

/**
 * A sliding window for each of any number of takes, in their order: never more than the limit within any window. Requests
 * close to one another share an entry. A window is text: `first used count last:count last:count …`, times in
 * microseconds. The first three are of the newest entry, of all, and of the newest again, so that most takes read no more
 * than both ends.
 * KEYS, three per take: the window, the caller's withdrawal, its remainder once revoked.
 * ARGV: 1 = the key that an emptied store lacks; then two per take: `limit window grain` (shared/counting/rate.ts), and the key of
 * the withdrawal of the caller's organisation, or '', and, behind a space, that of its session where it has one.
 * Returns lines: the store, then per take `allowed remaining reset wait`, the last two in microseconds until all is free and
 * until one is. With any mark, `|withdrawal|remainder|the organisation's withdrawal|the session's` follow.
 *
 * The clock is the store's, so that gateways whose clocks differ agree. Microseconds since the epoch stay whole and far
 * below 2^53 in Lua's doubles; '%.0f' because stores differ in the number of digits they return of a bare number.
 * The keys in ARGV are not declared: a cluster would refuse a script whose keys are on different nodes. There the
 * store is '-', and no organisation's withdrawal is read; a session's key is on its caller's node. A malformed window of one caller fails no other: it is read as far as possible.
 */
export const TAKE = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- Windows as they are after the takes so far, and microseconds until they are forgotten.
local windows, resets = {}, {}

-- Where nothing has left the window and there is room: the window with one more, and how many are used then.
local function one_more(value, limit, window, grain)
  local first, used, count, oldest = string.match(value, '^(%d+) (%d+) (%d+) (%d+):')
  if not first then return nil end
  local newest = tonumber(string.sub(value, -(#count + 17), -(#count + 2)))
  if string.sub(value, -(#count + 1)) ~= ':' .. count or not newest or newest > now then return nil end
  if tonumber(oldest) <= now - window or tonumber(used) >= limit then return nil end
  local head = #first + #used + #count + 3
  used = tonumber(used) + 1
  if now - tonumber(first) > grain then
    return string.format('%.0f %.0f 1%s %.0f:1', now, used, string.sub(value, head), now), used
  end
  local entries = string.sub(value, head, -(#count + 19))
  count = tonumber(count) + 1
  return string.format('%s %.0f %.0f%s %.0f:%.0f', first, used, count, entries, now, count), used
end

-- The same whatever the window holds: allowed, used, reset, wait.
local function settle(key, value, limit, window, grain)
  local lasts, counts, n, used, first, moved = {}, {}, 0, 0, 0, false
  first = math.min(tonumber(string.match(value, '^%d+') or now), now)
  for last, count in string.gmatch(value, ' (%d+):(%d+)') do
    last = tonumber(last)
    -- After a fail-over to a store whose clock is behind nobody stays shut out for longer than one window.
    if last > now then last, moved = now, true end
    if last > now - window then
      n = n + 1
      lasts[n], counts[n] = last, tonumber(count)
      used = used + counts[n]
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
    local parts = { string.format('%.0f %.0f %.0f', first, used, counts[n]) }
    for i = 1, n do parts[i + 1] = string.format('%.0f:%.0f', lasts[i], counts[i]) end
    windows[key], resets[key] = table.concat(parts, ' '), reset
  end
  return allowed, used, reset, wait
end

local function read(key)
  local value = key ~= '' and redis.pcall('GET', key)
  return type(value) ~= 'table' and value
end

local function take(key, found, withdrawn, restored, rate, others)
  local limit, window, grain = string.match(rate, '(%d+) (%d+) (%d+)')
  limit, window, grain = tonumber(limit), tonumber(window), tonumber(grain)
  local allowed, reset, wait = true, window, 0
  local before = windows[key] or found or ''
  local value, used = one_more(before, limit, window, grain)
  if value then
    windows[key], resets[key] = value, window
  else
    allowed, used, reset, wait = settle(key, before, limit, window, grain)
  end
  local line = string.format('%d %.0f %.0f %.0f', allowed and 1 or 0, math.max(limit - used, 0), reset, wait)
  local organization, session = false, false
  if others ~= '' then
    local space = string.find(others, ' ', 1, true)
    organization = read(space and string.sub(others, 1, space - 1) or others)
    session = space and read(string.sub(others, space + 1))
  end
  if not (withdrawn or restored or organization or session) then return line end
  local marks = { withdrawn or '', restored or '', organization or '', session or '' }
  for i = 1, 4 do marks[i] = string.gsub(marks[i], '[|%c]', '?') end
  return line .. '|' .. table.concat(marks, '|')
end

local store = redis.pcall('GET', ARGV[1])
if type(store) == 'table' then store = '-' end
local lines = { store and string.gsub(store, '%c', '?') or '' }
local found = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS / 3 do
  local at = i * 3 - 2
  lines[i + 1] = take(KEYS[at], found[at], found[at + 1], found[at + 2], ARGV[i * 2], ARGV[i * 2 + 1])
end
for key, value in pairs(windows) do
  -- One millisecond more: the store counts expiry in whole ones, and a window must not be forgotten early.
  redis.call('SET', key, value, 'PX', string.format('%.0f', math.ceil(resets[key] / 1000) + 1))
end
return table.concat(lines, '\\n')
`);

/**
 * Marks a caller unless a newer mark exists. KEYS: 1 = the withdrawal, 2 = its remainder once revoked.
 * ARGV: 1 = version, 2 = milliseconds since the epoch up to which tokens are withdrawn, or '' for all, 3 = seconds.
 * Two keys, because instances of an older version take any value of the first for a withdrawal, and delete it when
 * the user is back: their values have no version, and undo no newer mark.
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
