import { createClient } from 'redis';

/**
 * Moves every account and mark of a Redis back by `ms`, which is the same as moving its clock on: a test need not wait.
 * Knows what an account holds (microseconds since the epoch), see shared/adapters/counters-script.ts.
 */
const SHIFT = `
for _, key in ipairs(redis.call('KEYS', 'sallyport:*')) do
  local left = redis.call('PTTL', key) - tonumber(ARGV[1])
  if left <= 0 then
    redis.call('DEL', key)
  else
    if string.find(key, ':rate:', 1, true) then
      local moved = tonumber(redis.call('GET', key)) - tonumber(ARGV[1]) * 1000
      redis.call('SET', key, string.format('%.0f', moved))
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
