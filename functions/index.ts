import { createDeps, createPlatform } from '../shared/deps.ts';
import { Refusal } from '../shared/errors.ts';
import { toProblem } from '../shared/edge/problem.ts';
import { webRandom } from '../shared/runtime.ts';
import { createApp, type App } from './app.ts';
import { openConfigured } from './configuration.ts';
import type { HeaderList } from './gateway/read/headers.ts';
import { requestId } from './gateway/read/request.ts';

interface Trigger {
  readonly cron: string;
  /** Milliseconds since the epoch. */
  readonly scheduledTime: number;
}

// Draws at first use, in a request: Workers allow no randomness at start.
const random = webRandom();

type Bindings = Readonly<Record<string, unknown>>;

// One isolate serves one configuration: parsed at its first request and kept. A value, never a promise.
let running: { readonly bindings: Bindings; readonly app: App | undefined } | undefined;

function appFor(bindings: Bindings): App | undefined {
  if (running?.bindings !== bindings) running = { bindings, app: start(bindings) };
  return running.app;
}

/** A Worker cannot refuse to start: without an app it answers 503 to everything, and its log lists every fault. */
function start(bindings: Bindings): App | undefined {
  const platform = createPlatform();
  try {
    const opened = openConfigured(bindings, platform, (config, warnings) => {
      for (const { variable, problem } of warnings) console.warn(`${variable} ${problem}`);
      return createApp(createDeps(config, { platform }), peerOf);
    });
    if (opened.ok) return opened.value;
    report(opened.faults);
  } catch {
    report(['the configuration cannot be used']);
  }
  return undefined;
}

function report(faults: readonly string[]): void {
  console.error(JSON.stringify({ level: 'error', msg: 'unusable configuration', faults }));
}

/** A new Response per request: workerd does not let a request answer with that of another. */
function notConfigured(request: Request): Response {
  const refusal = new Refusal('not_configured', 'unusable configuration');
  const { status, headers, body } = toProblem(
    refusal,
    requestId(request.headers.get('x-request-id') ?? undefined) ?? random.hex(16),
  );
  return new Response(body, { status, headers });
}

/** Cloudflare's edge sets CF-Connecting-IP itself and overwrites what a client sends. */
function peerOf(headers: HeaderList): string {
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (headers[i] === 'cf-connecting-ip') return headers[i + 1] ?? 'unknown';
  return 'unknown';
}

export default {
  fetch(request: Request, bindings: Bindings): Response | Promise<Response> {
    const app = appFor(bindings);
    return app === undefined ? notConfigured(request) : app.fetch(request, bindings);
  },

  /** A trigger of wrangler.toml. Rejects when the job fails, so that Cloudflare shows it as failed. */
  async scheduled({ cron, scheduledTime }: Trigger, bindings: Bindings): Promise<void> {
    const app = appFor(bindings);
    if (app === undefined) throw new Error('unusable configuration');
    const results = await app.cron?.tick(cron, new Date(scheduledTime));
    if (results === undefined) console.warn('no regular jobs: DATABASE_URL is not set');
    const failed = results?.flatMap(({ outcome, job }) => (outcome === 'failed' ? [job] : [])) ?? [];
    if (failed.length > 0) throw new Error(`failed: ${failed.join(', ')}`);
  },
};
