import { createClient } from 'redis';
import { z } from 'zod';
import { serve } from '../support/serve.ts';

/**
 * A stand-in of Upstash's REST endpoint in front of a real Redis: POST / with a command, POST /pipeline with several,
 * bearer token, {"result"} or {"error"}, replies in base64 when `Upstash-Encoding` asks for it.
 */
export interface UpstashService {
  readonly url: string;
  readonly token: string;
  /** HTTP calls answered so far. */
  calls(): number;
  close(): Promise<void>;
}

const command = z.array(z.union([z.string(), z.number()]).transform(String)).min(1);
const TOKEN = 'stand-in-token';

export async function startUpstash(redisUrl: string): Promise<UpstashService> {
  const redis = createClient({ url: redisUrl, RESP: 2 }).on('error', () => undefined);
  await redis.connect();
  let calls = 0;
  const run = async (parts: string[], encode: (value: unknown) => unknown) => {
    try {
      return { result: encode(await redis.sendCommand(parts)) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : 'unknown' };
    }
  };
  const served = await serve(0, async (request) => {
    calls++;
    if (request.headers.get('authorization') !== `Bearer ${TOKEN}`) {
      return Response.json({ error: 'WRONGPASS invalid or missing auth token' }, { status: 401 });
    }
    const encode =
      request.headers.get('upstash-encoding') === 'base64' ? inBase64 : (value: unknown) => value;
    const body = await request.json();
    if (new URL(request.url).pathname === '/pipeline') {
      const commands = z.array(command).parse(body);
      return Response.json(await Promise.all(commands.map((parts) => run(parts, encode))));
    }
    const answer = await run(command.parse(body), encode);
    return Response.json(answer, { status: 'error' in answer ? 400 : 200 });
  });
  return {
    url: served.url,
    token: TOKEN,
    calls: () => calls,
    close: async () => {
      await served.close();
      redis.destroy();
    },
  };
}

function inBase64(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inBase64);
  if (typeof value !== 'string' || value === 'OK') return value;
  return Buffer.from(value).toString('base64');
}
