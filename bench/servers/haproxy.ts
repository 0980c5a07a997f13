import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild, type Child } from '../children.ts';
import type { Issuer } from '../issuer.ts';

/** HAProxy with its default of one thread per core: verifies signature, issuer and expiry of every token, then proxies. */
export async function startHaproxy(
  port: number,
  upstreamPort: number,
  issuer: Issuer,
  folder: string,
): Promise<Child> {
  const key = join(folder, 'issuer.pem');
  const config = join(folder, 'haproxy.cfg');
  await writeFile(key, issuer.publicKeyPem);
  await writeFile(config, haproxyConfig(port, upstreamPort, issuer.url, key));
  return startChild('haproxy', ['-db', '-q', '-f', config], { port });
}

function haproxyConfig(port: number, upstreamPort: number, issuer: string, key: string): string {
  return `global
  maxconn 4096
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
  http-request deny deny_status 401 unless { var(txn.iss) -m str ${issuer} }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${key}") 1 }
  default_backend up
backend up
  server one 127.0.0.1:${upstreamPort}
`;
}
