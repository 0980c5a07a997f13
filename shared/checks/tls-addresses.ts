import type { TlsAddress } from '../ports/certificates.ts';

export interface Encrypted {
  readonly variables: readonly string[];
  readonly address: TlsAddress;
}

export interface Clear {
  readonly variables: readonly string[];
  readonly host: string;
  /** What makes it encrypted, as in `write https in`. */
  readonly remedy: string;
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
  const clear = new Map<string, { variables: string[]; host: string; remedy: string }>();
  for (const [name, value = ''] of Object.entries(variables)) {
    if (!NAMED.test(name) || !URL.canParse(value.trim())) continue;
    const address = addressOf(new URL(value.trim()));
    if (address === undefined) continue;
    if ('remedy' in address) add(clear, `${address.remedy} ${address.host}`, name, address);
    else add(encrypted, JSON.stringify(address), name, { address });
  }
  return { encrypted: [...encrypted.values()], clear: [...clear.values()] };
}

function add<T>(to: Map<string, T & { variables: string[] }>, key: string, name: string, value: T): void {
  const known = to.get(key) ?? { ...value, variables: [] };
  known.variables.push(name);
  to.set(key, known);
}

/** Undefined for URLs of other things than these. */
function addressOf(url: URL): TlsAddress | Pick<Clear, 'host' | 'remedy'> | undefined {
  const { protocol, port, searchParams } = url;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') return undefined;
  const at = (usual: number, begins: TlsAddress['begins'] = 'at once'): TlsAddress => ({
    host,
    port: port === '' ? usual : Number(port),
    begins,
    ...authorityIn(searchParams),
  });
  switch (protocol) {
    case 'https:':
      return at(443);
    case 'rediss:':
      return at(6379);
    case 'smtps:':
      return at(465);
    case 'smtp:':
      return searchParams.get('tls') === 'off' ? { host, remedy: 'take tls=off out of' } : at(587, 'smtp');
    case 'postgres:':
    case 'postgresql:':
      return /^(?:verify-full|verify-ca|require)$/.test(searchParams.get('sslmode') ?? '')
        ? at(5432, 'postgres')
        : { host, remedy: 'add ?sslmode=verify-full to' };
    case 'http:':
      return { host, remedy: 'write https in' };
    case 'redis:':
      return { host, remedy: 'write rediss in' };
    default:
      return undefined;
  }
}

/** As the drivers of Postgres and of mail read them. */
function authorityIn(parameters: URLSearchParams): Pick<TlsAddress, 'authority' | 'anyHost'> {
  const authority = parameters.get('sslrootcert') ?? parameters.get('ca') ?? '';
  return {
    // libpq's word for those that everybody trusts.
    ...(authority !== '' && authority !== 'system' && { authority }),
    ...(parameters.get('sslmode') === 'verify-ca' && { anyHost: true }),
  };
}
