import type { TlsAddress } from '../ports/certificates.ts';

export interface Encrypted {
  readonly variables: readonly string[];
  readonly address: TlsAddress;
}

export interface Clear {
  readonly variables: readonly string[];
  readonly host: string;
}

/** Variables that hold addresses of services. */
const NAMED =
  /^(?:UPSTREAM_URL|OPENFGA_URL|ZITADEL_ISSUER_URL|ZITADEL_API_URL|KANIDM_ISSUER_URL|KANIDM_URL|PUBLIC_URL|UPSTASH_REDIS_REST_URL|REDIS_URL|DATABASE_URL|ZITADEL_DATABASE_URL|OPENFGA_DATABASE_URL|MAIL_URL|ALERT_WEBHOOK_URL|TARGET_[A-Z0-9_]+_URL|ISSUER_[A-Z0-9_]+_URL)$/;

/** Hosts and ports that the variables lead to, each once. Malformed ones are left out. */
export function tlsAddresses(variables: Readonly<Record<string, string | undefined>>): {
  readonly encrypted: readonly Encrypted[];
  readonly clear: readonly Clear[];
} {
  const encrypted = new Map<string, { variables: string[]; address: TlsAddress }>();
  const clear = new Map<string, { variables: string[]; host: string }>();
  for (const [name, value = ''] of Object.entries(variables)) {
    if (!NAMED.test(name) || !URL.canParse(value.trim())) continue;
    const address = addressOf(new URL(value.trim()));
    if (address === undefined) continue;
    if (typeof address === 'string') {
      const known = clear.get(address) ?? { variables: [], host: address };
      known.variables.push(name);
      clear.set(address, known);
    } else {
      const key = `${address.host}:${address.port}`;
      const known = encrypted.get(key) ?? { variables: [], address };
      known.variables.push(name);
      encrypted.set(key, known);
    }
  }
  return { encrypted: [...encrypted.values()], clear: [...clear.values()] };
}

/** A host alone: it is spoken to in the clear. Undefined for other URLs. */
function addressOf(url: URL): TlsAddress | string | undefined {
  const { protocol, port, searchParams } = url;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') return undefined;
  const at = (usual: number, begins: TlsAddress['begins'] = 'at once'): TlsAddress => ({
    host,
    port: port === '' ? usual : Number(port),
    begins,
  });
  switch (protocol) {
    case 'https:':
      return at(443);
    case 'rediss:':
      return at(6379);
    case 'smtps:':
      return at(465);
    case 'smtp:':
      return searchParams.get('tls') === 'off' ? host : at(587, 'smtp');
    case 'postgres:':
    case 'postgresql:':
      return /^(?:verify-full|verify-ca|require)$/.test(searchParams.get('sslmode') ?? '')
        ? at(5432, 'postgres')
        : host;
    case 'http:':
    case 'redis:':
      return host;
    default:
      return undefined;
  }
}
