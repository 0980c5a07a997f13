import type { OwnRoute } from '../../shared/edge/frame.ts';
import type { Upstream } from '../../shared/upstream.ts';
import type { Gateway } from './create.ts';
import { fetchTransport, inboundOf } from './fetch-transport.ts';
import { gateway } from './index.ts';

/** Returns the address of the other end of a request's connection. */
export type PeerOf = (request: Request, bindings: unknown) => string;

/** The keys of X-Gateway-Assertion, for upstreams. */
export function jwksRoute({ asserter }: Gateway): OwnRoute {
  return {
    path: '/.well-known/sallyport/jwks.json',
    methods: ['GET'],
    guarded: true,
    answer: async () =>
      Response.json(await asserter.publicJwks(), { headers: { 'cache-control': 'public, max-age=300' } }),
  };
}

/** Everything else: judged by the access rules and forwarded. Not through Hono, which has nothing to add to it. */
export function gatewayFetch(own: Gateway, upstream: Upstream<Request, Response>, peerOf: PeerOf) {
  const transport = fetchTransport(upstream);
  return (request: Request, bindings: unknown): Promise<Response> =>
    gateway(inboundOf(request, peerOf(request, bindings)), request, transport, own.deps);
}
