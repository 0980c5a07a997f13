import { FIELDS, issuerVariable } from './issuers.ts';
import { closest } from '../nearest.ts';
import { targetNamedBy, VARIABLES, type Fault, type RawEnvironment } from './variables.ts';

/** What a person could write, for those variables whose absence is a fault. */
const EXAMPLES: Readonly<Record<string, string>> = {
  UPSTREAM_URL: 'https://api.internal.example.org',
  ACCESS_RULES_PREV: 'config/access_rules_prev.json',
  OPENFGA_URL: 'https://openfga.internal.example.org',
  OPENFGA_STORE_ID: '01JQ3V5Z8N4X7R2M6T9K1C0WBD (`npx sallyport fga bootstrap` prints yours)',
  ZITADEL_ISSUER_URL: 'https://auth.example.org',
  ZITADEL_AUDIENCE: '287398412356812801',
  ZITADEL_CLIENT_ID: '287398412356812803',
  ZITADEL_CLIENT_SECRET: '4hQ…',
  ZITADEL_SERVICE_TOKEN: 'eyJ… (a personal access token of a service account)',
  KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/api',
  KANIDM_AUDIENCE: 'api',
  REDIS_URL: 'rediss://:password@redis.internal.example.org:6379',
  UPSTASH_REDIS_REST_URL: 'https://eu1-example.upstash.io',
  UPSTASH_REDIS_REST_TOKEN: 'AXk…',
  DATABASE_URL: 'postgres://sallyport:password@db.internal.example.org:5432/sallyport',
  ASSERTION_KEYS: '{"keys":[{"kty":"EC",…}]}',
};

/** What to add to `NAME is missing`: an example, and the set variable that looks like a slip of the name. */
export function missingHint(variable: string, raw: RawEnvironment): string {
  const example = EXAMPLES[variable];
  const slips = Object.entries(raw).flatMap(([name, value]) =>
    isWritten(value) && nearestVariable(name) === variable ? [name] : [],
  );
  const shown = example === undefined ? '' : `, as in ${variable}=${example}`;
  return slips.length === 0 ? shown : `${shown}; ${slips.join(' and ')} is set: is that a slip of the name?`;
}

/** Names that are set and look like a slip of one of ours, for a warning. Never a value. */
export function misspelled(raw: RawEnvironment): Fault[] {
  return Object.entries(raw).flatMap(([name, value]) => {
    const right = isWritten(value) ? nearestVariable(name) : undefined;
    return right === undefined ? [] : [{ variable: name, problem: `is not read: is ${right} meant?` }];
  });
}

function isWritten(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '';
}

const KNOWN = [...Object.keys(VARIABLES.shape), 'HYPERDRIVE'];
/** Shorter names have too many neighbours: HOST and PORT are one letter from POST and SORT. */
const SHORTEST = 8;

/**
 * The variable of ours that a name is a slip of; undefined for our own names and for all that is not near one. Two
 * letters are near (one in names under twelve letters), so is another case, a lost underscore, one proxy for many, and a lost last word.
 */
export function nearestVariable(name: string): string | undefined {
  if (KNOWN.includes(name) || targetNamedBy(name) !== undefined || issuerVariable(name) !== undefined)
    return undefined;
  const upper = name
    .toUpperCase()
    .replace(/^SALLYPORT_/, '')
    .replaceAll(/[-.]/g, '_');
  const ofMany = targetSlip(upper) ?? issuerSlip(upper);
  if (ofMany !== undefined || upper.length < SHORTEST - 1) return ofMany;
  const candidates = KNOWN.filter((known) => known.length >= SHORTEST);
  const same = candidates.find((known) => bare(known) === bare(upper));
  return same ?? withoutLastWord(upper, candidates) ?? closest(upper, candidates);
}

/** TARGET_BILLING_URI, TARGETS_BILLING_URL, target_billing_url. */
function targetSlip(upper: string): string | undefined {
  const [, target] = /^TARGETS?_([A-Z0-9_]+)_(?:UR[IL]S?|ULR)$/.exec(upper) ?? [];
  return target === undefined ? undefined : `TARGET_${target}_URL`;
}

const FIELD_SLIPS: ReadonlyMap<string, string> = new Map([
  ...FIELDS.map((field): [string, string] => [bare(field), field]),
  ['AUD', 'AUDIENCE'],
  ['SECRET', 'CLIENT_SECRET'],
]);

/** ISSUER_CORP_CLIENTID, ISSUERS_CORP_URL, issuer_corp_url; ISSUER_URL, where the name was forgotten. */
function issuerSlip(upper: string): string | undefined {
  const words = /^ISSUERS?_(.+)$/.exec(upper)?.[1]?.split('_') ?? [];
  for (const length of [2, 1]) {
    const last = words.slice(-length).join('_');
    const field = FIELD_SLIPS.get(bare(last)) ?? closest(last, FIELDS);
    if (field !== undefined) return `ISSUER_${words.slice(0, -length).join('_') || '<NAME>'}_${field}`;
  }
  return undefined;
}

/** ZITADEL_ISSUER for ZITADEL_ISSUER_URL; not where two could be meant. */
function withoutLastWord(upper: string, candidates: readonly string[]): string | undefined {
  if (!upper.includes('_')) return undefined;
  const longer = candidates.filter((known) => known.slice(0, known.lastIndexOf('_')) === upper);
  return longer.length === 1 ? longer[0] : undefined;
}

function bare(name: string): string {
  return name.replaceAll('_', '').replace(/IES$/, 'Y');
}
