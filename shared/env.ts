import ipaddr from 'ipaddr.js';
import * as z from 'zod';
import type {
  AssertionConfig,
  Config,
  CountersConfig,
  IssuerConfig,
  RulesSource,
  Targets,
} from './config.ts';
import { parseUrl, readVariables, type Fault, type RawEnvironment, type Variables } from './variables.ts';

export type Runtime = 'node' | 'workers';

export type ParsedEnvironment =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Fault[] }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * The one door from raw variables to a checked configuration. All faults are found before any is reported,
 * and an absent security setting is a fault: it never weakens a check.
 */
export function parseEnvironment(raw: RawEnvironment, runtime: Runtime): ParsedEnvironment {
  const { variables, targets, faults } = readVariables(raw);
  if (variables === undefined) return { ok: false, faults };
  const together = [...faults, ...securityFaults(variables, runtime), ...shapeFaults(variables)];
  if (together.length > 0) return { ok: false, faults: together };
  return {
    ok: true,
    config: toConfig(variables, targets, runtime),
    warnings: warningsOf(variables, runtime),
  };
}

function securityFaults(v: Variables, runtime: Runtime): Fault[] {
  const faults: Fault[] = [];
  const need = (broken: boolean, variable: string, problem: string) => {
    if (broken) faults.push({ variable, problem });
  };
  need(
    v.ZITADEL_ISSUER_URL !== undefined && v.ZITADEL_AUDIENCE === undefined,
    'ZITADEL_AUDIENCE',
    'is missing: an issuer is trusted only for named audiences; write the project id or client ids its tokens carry in aud',
  );
  need(
    v.KANIDM_ISSUER_URL !== undefined && v.KANIDM_AUDIENCE === undefined,
    'KANIDM_AUDIENCE',
    'is missing: an issuer is trusted only for named audiences; write the OAuth2 client name',
  );
  need(
    v.ALLOWED_ORIGINS.includes('*'),
    'ALLOWED_ORIGINS',
    'holds *: answers carry Access-Control-Allow-Credentials, so list the origins, as in https://app.example.org',
  );
  const production = v.ENVIRONMENT === 'production';
  need(
    production && countersOf(v, runtime).kind === 'memory',
    runtime === 'workers' ? 'UPSTASH_REDIS_REST_URL' : 'REDIS_URL',
    'is missing: in production instances must share their counters' +
      (runtime === 'workers' ? '; Workers reach Redis by UPSTASH_REDIS_REST_URL and its token' : ''),
  );
  need(
    production && v.ASSERTION_KEYS === undefined,
    'ASSERTION_KEYS',
    'is missing: run `npx sallyport keys generate`, or write off to send no assertion',
  );
  need(
    v.ZITADEL_CLIENT_ID !== undefined && v.ZITADEL_ISSUER_URL === undefined,
    'ZITADEL_ISSUER_URL',
    'is missing',
  );
  return faults;
}

function shapeFaults(v: Variables): Fault[] {
  const faults: Fault[] = [];
  const together = (first: keyof Variables, second: keyof Variables) => {
    if ((v[first] === undefined) === (v[second] === undefined)) return;
    const missing = v[first] === undefined ? first : second;
    faults.push({ variable: missing, problem: `is missing: ${first} and ${second} go together` });
  };
  together('ZITADEL_CLIENT_ID', 'ZITADEL_CLIENT_SECRET');
  together('UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN');
  for (const cidr of v.TRUSTED_PROXIES) {
    if (!ipaddr.isValid(cidr) && !ipaddr.isValidCIDR(cidr)) {
      faults.push({ variable: 'TRUSTED_PROXIES', problem: 'write addresses or CIDRs, as in 10.0.0.0/8,::1' });
    }
  }
  for (const origin of v.ALLOWED_ORIGINS) {
    if (origin !== '*' && parseUrl(origin)?.origin !== origin) {
      faults.push({
        variable: 'ALLOWED_ORIGINS',
        problem: 'write origins without a path, as in https://app.example.org',
      });
    }
  }
  if (
    v.ASSERTION_KEYS !== undefined &&
    v.ASSERTION_KEYS !== 'off' &&
    !ASSERTION_KEYS.safeParse(v.ASSERTION_KEYS).success
  ) {
    faults.push({
      variable: 'ASSERTION_KEYS',
      problem:
        'write a private JWK set of P-256 keys with kid (`npx sallyport keys generate` makes one), or off',
    });
  }
  return faults;
}

const ASSERTION_KEYS = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: 'not JSON' });
      return z.NEVER;
    }
  })
  .pipe(
    z.object({
      keys: z
        .array(
          z.object({
            kty: z.literal('EC'),
            crv: z.literal('P-256'),
            kid: z.string().min(1),
            x: z.string(),
            y: z.string(),
            d: z.string(),
          }),
        )
        .min(1),
    }),
  );

function warningsOf(v: Variables, runtime: Runtime): Fault[] {
  const warnings: Fault[] = [];
  if (countersOf(v, runtime).kind === 'memory') {
    warnings.push({
      variable: 'REDIS_URL',
      problem: 'is absent: counters live in this process and are not shared',
    });
  }
  if (v.ASSERTION_KEYS === undefined) {
    warnings.push({
      variable: 'ASSERTION_KEYS',
      problem: 'is absent: an assertion key is made for this run only',
    });
  }
  if (v.ZITADEL_ISSUER_URL === undefined && v.KANIDM_ISSUER_URL === undefined) {
    warnings.push({
      variable: 'ZITADEL_ISSUER_URL',
      problem: 'is absent, and KANIDM_ISSUER_URL too: no token is accepted',
    });
  }
  if (v.ZITADEL_CLIENT_ID !== undefined && v.ZITADEL_ORGANIZATIONS.length === 0) {
    if (v.ZITADEL_AUDIENCE?.every((audience) => audience === v.ZITADEL_CLIENT_ID) === true) {
      warnings.push({
        variable: 'ZITADEL_AUDIENCE',
        problem:
          'names only ZITADEL_CLIENT_ID, which introspection adds to every token: opaque tokens are refused; add the project id or set ZITADEL_ORGANIZATIONS',
      });
    }
  }
  return warnings;
}

function toConfig(v: Variables, named: Readonly<Record<string, string>>, runtime: Runtime): Config {
  const issuers = issuersOf(v);
  const zitadel = issuers.find((issuer) => issuer.name === 'zitadel');
  return {
    environment: v.ENVIRONMENT,
    logLevel: v.LOG_LEVEL,
    listen: { host: v.HOST, port: v.PORT },
    targets: targetsOf(v, named),
    rules: {
      current: rulesSource(v.ACCESS_RULES),
      previous: v.ACCESS_RULES_PREV === undefined ? null : rulesSource(v.ACCESS_RULES_PREV),
    },
    openfga: {
      url: v.OPENFGA_URL,
      storeId: v.OPENFGA_STORE_ID,
      modelId: v.OPENFGA_MODEL_ID ?? null,
      apiToken: v.OPENFGA_API_TOKEN ?? null,
    },
    issuers,
    introspection:
      zitadel === undefined || v.ZITADEL_CLIENT_ID === undefined || v.ZITADEL_CLIENT_SECRET === undefined
        ? null
        : {
            issuer: zitadel,
            clientId: v.ZITADEL_CLIENT_ID,
            clientSecret: v.ZITADEL_CLIENT_SECRET,
            organizations: v.ZITADEL_ORGANIZATIONS,
          },
    counters: countersOf(v, runtime),
    rateLimit: v.RATE_LIMIT,
    rateLimitFailure: v.RATE_LIMIT_FAILURE,
    decisionTtlMs: v.DECISION_TTL * 1000,
    databaseUrl: v.DATABASE_URL ?? null,
    allowedOrigins: v.ALLOWED_ORIGINS,
    trustedProxies: v.TRUSTED_PROXIES,
    maxBodyBytes: v.MAX_BODY_BYTES,
    upstreamTimeoutMs: v.UPSTREAM_TIMEOUT_MS,
    assertion: assertionOf(v),
    webhooks: { signingKeys: v.WEBHOOK_SIGNING_KEYS, sharedSecret: v.WEBHOOK_SHARED_SECRET ?? null },
    metricsToken: v.METRICS_TOKEN ?? null,
  };
}

function issuersOf(v: Variables): IssuerConfig[] {
  const candidates = [
    { name: 'zitadel', url: v.ZITADEL_ISSUER_URL, audiences: v.ZITADEL_AUDIENCE },
    { name: 'kanidm', url: v.KANIDM_ISSUER_URL, audiences: v.KANIDM_AUDIENCE },
  ] as const;
  return candidates.flatMap(({ name, url, audiences = [] }) => {
    const [first, ...rest] = audiences;
    if (url === undefined || first === undefined) return [];
    return [
      { name, url, audiences: [first, ...rest], sharedSubjects: v.SHARED_SUBJECT_ISSUERS.includes(name) },
    ];
  });
}

function targetsOf(v: Variables, named: Readonly<Record<string, string>>): Targets {
  const zitadel = v.ZITADEL_API_URL ?? v.ZITADEL_ISSUER_URL?.replace(/\/+$/, '');
  return {
    ...named,
    ...(zitadel !== undefined && { zitadel }),
    openfga: v.OPENFGA_URL,
    upstream: v.UPSTREAM_URL,
  };
}

function countersOf(v: Variables, runtime: Runtime): CountersConfig {
  // A Worker cannot keep one TCP connection across requests, so there only the REST form is a shared store.
  if (runtime === 'node' && v.REDIS_URL !== undefined) return { kind: 'redis', url: v.REDIS_URL };
  if (v.UPSTASH_REDIS_REST_URL !== undefined && v.UPSTASH_REDIS_REST_TOKEN !== undefined) {
    return { kind: 'upstash', url: v.UPSTASH_REDIS_REST_URL, token: v.UPSTASH_REDIS_REST_TOKEN };
  }
  return { kind: 'memory' };
}

function assertionOf(v: Variables): AssertionConfig {
  if (v.ASSERTION_KEYS === undefined) return { kind: 'ephemeral' };
  return v.ASSERTION_KEYS === 'off' ? { kind: 'off' } : { kind: 'keys', jwks: v.ASSERTION_KEYS };
}

function rulesSource(text: string): RulesSource {
  return text.trimStart().startsWith('[') ? { kind: 'inline', json: text } : { kind: 'file', path: text };
}
