import { createDeps } from '../shared/deps.ts';
import { parseEnvironment } from '../shared/env.ts';
import { createApp, type App } from './app.ts';
import { UnusableRules } from './gateway/rules-store.ts';

type Bindings = Readonly<Record<string, unknown>>;

// One isolate serves one configuration: parsed at its first request and kept. A value, never a promise.
let running: { readonly bindings: Bindings; readonly app: App | Response } | undefined;

function appFor(bindings: Bindings): App | Response {
  if (running?.bindings !== bindings) running = { bindings, app: start(bindings) };
  return running.app instanceof Response ? running.app.clone() : running.app;
}

/** A Worker cannot refuse to start: it answers 503 to everything, and its log says every fault. */
function start(bindings: Bindings): App | Response {
  const parsed = parseEnvironment(bindings, 'workers');
  if (!parsed.ok) return unusable(parsed.faults.map(({ variable, problem }) => `${variable} ${problem}`));
  for (const { variable, problem } of parsed.warnings) console.warn(`${variable} ${problem}`);
  try {
    return createApp(createDeps(parsed.config), peerOf);
  } catch (error) {
    return unusable(error instanceof UnusableRules ? error.faults : ['the configuration cannot be used']);
  }
}

function unusable(faults: readonly string[]): Response {
  console.error(JSON.stringify({ level: 'error', msg: 'unusable configuration', faults }));
  const body = {
    type: 'urn:sallyport:problem:not_configured',
    title: 'This function is not configured',
    status: 503,
  };
  return Response.json(
    { ...body, code: 'not_configured' },
    {
      status: 503,
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    },
  );
}

/** Cloudflare's edge sets CF-Connecting-IP itself and overwrites what a client sends. */
function peerOf(request: Request): string {
  return request.headers.get('cf-connecting-ip') ?? 'unknown';
}

export default {
  fetch(request: Request, bindings: Bindings): Response | Promise<Response> {
    const app = appFor(bindings);
    return app instanceof Response ? app : app.fetch(request, bindings);
  },
};
