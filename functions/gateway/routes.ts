import { Hono } from 'hono';
import type { Upstream } from '../../shared/upstream.ts';
import type { Gateway } from './create.ts';
import { fetchTransport, inboundOf } from './fetch-transport.ts';
import { forwardAuth } from './forward-auth.ts';
import { gateway } from './index.ts';

/** Tells the address of the other end of a request's connection. */
export type PeerOf = (request: Request, bindings: unknown) => string;

/** The gateway's own routes. They win over access rules. */
export function gatewayRoutes(own: Gateway, peerOf: PeerOf): Hono {
  const app = new Hono();
  app.get('/.well-known/sallyport/jwks.json', async (c) =>
    c.json(await own.asserter.publicJwks(), 200, { 'cache-control': 'public, max-age=300' }),
  );
  app.all('/forward-auth', (c) => forwardAuth(inboundOf(c.req.raw, peerOf(c.req.raw, c.env)), own.deps));
  return app;
}

/** Everything else: judged by the access rules and forwarded. Not through Hono, which has nothing to add to it. */
export function gatewayFetch(own: Gateway, upstream: Upstream<Request, Response>, peerOf: PeerOf) {
  const transport = fetchTransport(upstream);
  return (request: Request, bindings: unknown): Promise<Response> =>
    gateway(inboundOf(request, peerOf(request, bindings)), request, transport, own.deps);
}
