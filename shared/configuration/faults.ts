import ipaddr from 'ipaddr.js';
import type { Runtime } from './config.ts';
import { parseSigningKeys } from '../keys/signing-keys.ts';
import { parseUrl, type Fault, type SoundVariables, type Variables, type Written } from './variables.ts';

/**
 * An absent security setting is a fault: it never weakens a check. Absent is what is not written at all: who wrote a
 * variable in a wrong form hears of that form, and of all that the variable needs.
 */
export function securityFaults(v: SoundVariables, written: Written, runtime: Runtime): Fault[] {
  const faults: Fault[] = [];
  const need = (broken: boolean, variable: string, problem: string) => {
    if (broken) faults.push({ variable, problem });
  };
  const any = (...names: readonly (keyof Variables)[]) => names.some((name) => written[name] !== undefined);
  const introspects = any('ZITADEL_CLIENT_ID', 'ZITADEL_CLIENT_SECRET');
  need(
    introspects && !any('ZITADEL_ISSUER_URL'),
    'ZITADEL_ISSUER_URL',
    'is missing: ZITADEL_CLIENT_ID needs it',
  );
  need(
    (introspects || any('ZITADEL_ISSUER_URL')) && !any('ZITADEL_AUDIENCE'),
    'ZITADEL_AUDIENCE',
    'is missing: an issuer is trusted only for named audiences; write the project id or client ids its tokens carry in aud',
  );
  need(
    any('KANIDM_ISSUER_URL') && !any('KANIDM_AUDIENCE'),
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
  const upstash = any('UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN');
  const production = meansProduction(written);
  need(
    production && !upstash && (runtime === 'workers' || !any('REDIS_URL')),
    runtime === 'workers' ? 'UPSTASH_REDIS_REST_URL' : 'REDIS_URL',
    'is missing: in production instances must share their counters' +
      (runtime === 'workers' ? '; Workers reach Redis by UPSTASH_REDIS_REST_URL and its token' : ''),
  );
  need(
    production && !any('ASSERTION_KEYS'),
    'ASSERTION_KEYS',
    'is missing: run `npx sallyport keys generate`, or write off to send no assertion',
  );
  return faults;
}

/** Who writes prod or Production hears at once what production needs; any other word may mean development. */
function meansProduction({ ENVIRONMENT = '' }: Written): boolean {
  return /^\s*prod/i.test(ENVIRONMENT);
}

/** Variables that are well-formed one by one, but not as written or not together. */
export function shapeFaults(v: SoundVariables, written: Written): Fault[] {
  const faults: Fault[] = [];
  const together = (first: keyof Variables, second: keyof Variables) => {
    if ((written[first] === undefined) === (written[second] === undefined)) return;
    const missing = written[first] === undefined ? first : second;
    faults.push({ variable: missing, problem: `is missing: ${first} and ${second} go together` });
  };
  together('ZITADEL_CLIENT_ID', 'ZITADEL_CLIENT_SECRET');
  together('UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN');
  for (const needed of ['DATABASE_URL', 'ACCESS_RULES_PREV'] as const) {
    if (v.FEATURE_SYNC === 'start' && written[needed] === undefined)
      faults.push({ variable: needed, problem: 'is missing: FEATURE_SYNC=start needs it' });
  }
  const each = (
    variable: 'TRUSTED_PROXIES' | 'ALLOWED_ORIGINS',
    fits: (entry: string) => boolean,
    wanted: string,
  ) => {
    // By place and not by value: an origin with a path may be a URL with a password.
    const wrong = (v[variable] ?? []).flatMap((entry, index) => (fits(entry) ? [] : [index + 1]));
    if (wrong.length > 0) faults.push({ variable, problem: `entry ${wrong.join(', ')}: ${wanted}` });
  };
  each(
    'TRUSTED_PROXIES',
    (entry) => ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry),
    'write addresses or CIDRs, as in 10.0.0.0/8,::1',
  );
  each(
    'ALLOWED_ORIGINS',
    (entry) => entry === '*' || (parseUrl(entry)?.origin === entry && !entry.includes('*')),
    'write whole origins as browsers send them, each by itself: scheme and host in small letters, no *, no default port, no path and no slash at the end, as in https://app.example.org',
  );
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
