import ipaddr from 'ipaddr.js';
import type { CountersConfig, DatabaseConfig, Runtime } from './config.ts';
import { parseDatabaseUrl } from './database/url.ts';
import { parseSigningKeys } from './keys/signing-keys.ts';
import { parseUrl, type Fault, type SoundVariables, type Variables } from './variables.ts';

/** An absent security setting is a fault: it never weakens a check. `counters`: the store that would be used. */
export function securityFaults(v: SoundVariables, runtime: Runtime, counters: CountersConfig): Fault[] {
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
    v.ALLOWED_ORIGINS?.includes('*') === true,
    'ALLOWED_ORIGINS',
    'holds *: answers carry Access-Control-Allow-Credentials, so list the origins, as in https://app.example.org',
  );
  need(
    v.KANIDM_ISSUER_URL !== undefined && v.KANIDM_ISSUER_URL === v.ZITADEL_ISSUER_URL,
    'KANIDM_ISSUER_URL',
    'is also ZITADEL_ISSUER_URL: whose audiences and users its tokens mean is not decided; write each issuer once',
  );
  const production = v.ENVIRONMENT === 'production';
  need(
    production && counters.kind === 'memory',
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

/** Variables that are well-formed one by one, but not as written or not together. */
export function shapeFaults(v: SoundVariables): Fault[] {
  const faults: Fault[] = [];
  const together = (first: keyof Variables, second: keyof Variables) => {
    if ((v[first] === undefined) === (v[second] === undefined)) return;
    const missing = v[first] === undefined ? first : second;
    faults.push({ variable: missing, problem: `is missing: ${first} and ${second} go together` });
  };
  together('ZITADEL_CLIENT_ID', 'ZITADEL_CLIENT_SECRET');
  together('UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN');
  for (const needed of ['DATABASE_URL', 'ACCESS_RULES_PREV'] as const) {
    if (v.FEATURE_SYNC === 'start' && v[needed] === undefined)
      faults.push({ variable: needed, problem: 'is missing: FEATURE_SYNC=start needs it' });
  }
  for (const cidr of v.TRUSTED_PROXIES ?? []) {
    if (!ipaddr.isValid(cidr) && !ipaddr.isValidCIDR(cidr)) {
      faults.push({ variable: 'TRUSTED_PROXIES', problem: 'write addresses or CIDRs, as in 10.0.0.0/8,::1' });
    }
  }
  for (const origin of v.ALLOWED_ORIGINS ?? []) {
    if (origin !== '*' && parseUrl(origin)?.origin !== origin) {
      faults.push({
        variable: 'ALLOWED_ORIGINS',
        problem: 'write origins without a path, as in https://app.example.org',
      });
    }
  }
  if (v.ASSERTION_KEYS !== undefined && v.ASSERTION_KEYS !== 'off' && !canSign(v.ASSERTION_KEYS)) {
    faults.push({
      variable: 'ASSERTION_KEYS',
      problem:
        'write a private JWK set of P-256 keys with kid (`npx sallyport keys generate` makes one), or off',
    });
  }
  return faults;
}

function canSign(jwks: string): boolean {
  try {
    parseSigningKeys(jwks);
    return true;
  } catch {
    return false;
  }
}

/** What runs, but perhaps not as meant. `database`: what a Worker would speak to; null on Node. */
export function warningsOf(v: Variables, counters: CountersConfig, database: DatabaseConfig | null): Fault[] {
  const warnings: Fault[] = [];
  if (counters.kind === 'memory') {
    warnings.push({
      variable: 'REDIS_URL',
      problem:
        'is absent (on Workers: UPSTASH_REDIS_REST_URL): counters live in this process and are not shared',
    });
  }
  if (database?.kind === 'url' && database.endpoint === null && !parseDatabaseUrl(database.url).neon) {
    warnings.push({
      variable: 'DATABASE_URL',
      problem:
        'is not at Neon, whose SQL over HTTP is all that a Worker speaks by itself: bind a Hyperdrive as HYPERDRIVE, or set DATABASE_HTTP_ENDPOINT',
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
