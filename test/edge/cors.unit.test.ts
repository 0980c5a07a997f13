import { describe, expect, it } from 'vitest';
import { readRequest, type GatewayRequest } from '../../functions/gateway/read/request.ts';
import { cors as edgeCors } from '../../shared/edge/cors.ts';
import { webRandom } from '../../shared/runtime.ts';
import { trustedProxies } from '../../shared/edge/trusted-proxies.ts';

const APP = 'https://app.example.org';

/** As the gateway asks. */
function cors(origins: readonly string[]) {
  const inner = edgeCors(origins);
  return {
    active: inner.active,
    headers: ({ read }: GatewayRequest) => inner.headers(read.origin),
    preflight: ({ method, read }: GatewayRequest) => inner.preflight(method, read),
  };
}

function requestOf(method: string, ...headers: string[]): GatewayRequest {
  const inbound = {
    method,
    target: '/x',
    headers,
    peer: '192.0.2.1',
    scheme: 'http',
    needsHost: false,
  } as const;
  return readRequest(inbound, trustedProxies([]), webRandom());
}

const names = (list: readonly string[] | undefined): string[] =>
  (list ?? []).filter((_, index) => index % 2 === 0);

describe('without ALLOWED_ORIGINS', () => {
  it('nothing is said, and nothing is a preflight', () => {
    const none = cors([]);
    const preflight = requestOf('OPTIONS', 'Origin', APP, 'Access-Control-Request-Method', 'PUT');
    expect([none.active, none.headers(preflight), none.preflight(preflight)]).toEqual([false, [], undefined]);
  });
});

describe('with ALLOWED_ORIGINS', () => {
  const some = cors([APP]);

  it('a listed origin is granted, others only cause Vary', () => {
    expect(some.headers(requestOf('GET', 'Origin', APP))).toContain(APP);
    for (const origin of ['https://evil.test', 'null', `${APP}.evil.test`, '*', ''])
      expect(some.headers(requestOf('GET', 'Origin', origin))).toEqual(['vary', 'Origin']);
    expect(some.headers(requestOf('GET'))).toEqual(['vary', 'Origin']);
  });

  it.each([
    ['without Access-Control-Request-Method', requestOf('OPTIONS', 'Origin', APP)],
    ['by another method', requestOf('GET', 'Origin', APP, 'Access-Control-Request-Method', 'PUT')],
    [
      'from an origin that is not listed',
      requestOf('OPTIONS', 'Origin', 'https://evil.test', 'Access-Control-Request-Method', 'PUT'),
    ],
  ])('%s it is no preflight', (_name, request) => {
    expect(some.preflight(request)).toBeUndefined();
  });

  it('a preflight that asks for no fields is granted none', () => {
    const granted = some.preflight(
      requestOf('OPTIONS', 'Origin', APP, 'Access-Control-Request-Method', 'PUT'),
    );
    expect(names(granted)).not.toContain('access-control-allow-headers');
    expect(granted).toContain('PUT');
  });
});
