/** Own routes in their frame: a Worker, whose `fetch` a Node server calls too. */
import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import { cors } from '../../shared/edge/cors.ts';
import { framed, type FrameDeps, type OwnRoute } from '../../shared/edge/frame.ts';

const clock = { now: () => 0 };
const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };
const deps: FrameDeps = {
  config: { maxBodyBytes: 1_000 },
  counters: new MemoryCounters({ clock }),
  guard: new MemoryCounters({ clock }),
  cors: cors([]),
  log,
  requests: { wants: () => false, path: silent, fault: silent },
  metrics: {
    request: silent,
    gauge: silent,
    counter: () => silent,
    render: () => Promise.reject(new Error('no metrics here')),
  },
};

const ANSWERS: Readonly<Record<string, () => Response>> = {
  '/redirect': () => Response.redirect('https://idp.example.org/authorize?state=1', 303),
  '/cookies': () =>
    new Response(null, {
      status: 303,
      headers: [
        ['location', '/next'],
        ['set-cookie', 'session=1; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT; HttpOnly'],
        ['set-cookie', 'renewal=2; Path=/; HttpOnly'],
      ],
    }),
  '/error': () => Response.error(),
};

export default {
  fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const route: OwnRoute = {
      path: pathname,
      methods: ['GET'],
      quota: { name: 'own', limit: 100, windowMs: 60_000 },
      answer: () => ANSWERS[pathname]?.() ?? new Response('none', { status: 404 }),
    };
    const read = {
      origin: undefined,
      preflightMethod: undefined,
      preflightHeaders: undefined,
      contentLength: -1,
    };
    const seen = { id: 'r1', method: request.method, target: pathname, address: '203.0.113.7' };
    return framed(route, request, { ...seen, fault: undefined, read }, deps);
  },
};
