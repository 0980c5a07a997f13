import { createClient } from 'redis';

/**
 * Moves every window and mark of a Redis back by `ms`, which is the same as moving its clock on: a test need not wait.
 * Knows what a window holds (microseconds since the epoch), see shared/adapters/counters/script.ts.
 */
const SHIFT = `
for _, key in ipairs(redis.call('KEYS', 'sallyport:*')) do
  local left = redis.call('PTTL', key) - tonumber(ARGV[1])
  if redis.call('PTTL', key) == -1 then
    left = -1
  elseif left <= 0 then
    redis.call('DEL', key)
  else
    if string.find(key, ':window:', 1, true) then
      local moved = string.gsub(redis.call('GET', key), '%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d', function (time)
        return string.format('%.0f', tonumber(time) - tonumber(ARGV[1]) * 1000)
      end)
      redis.call('SET', key, moved)
    end
    redis.call('PEXPIRE', key, left)
  end
end
return 1
`;

export async function withAdmin<T>(
  url: string,
  work: (admin: ReturnType<typeof adminFor>) => Promise<T>,
): Promise<T> {
  const admin = adminFor(url);
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    admin.destroy();
  }
}

export async function advanceRedis(url: string, ms: number): Promise<void> {
  await withAdmin(url, (admin) => admin.sendCommand(['EVAL', SHIFT, '0', String(Math.round(ms))]));
}

function adminFor(url: string) {
  return createClient({ url, RESP: 2, disableClientInfo: true }).on('error', () => undefined);
}
