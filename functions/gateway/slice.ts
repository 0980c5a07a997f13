import * as z from 'zod';
import { ZITADEL_URLS, zitadelUrl } from '../../shared/configuration/issuers.ts';
import { targetNamedBy, type Written } from '../../shared/configuration/names.ts';
import { meansProduction } from '../../shared/configuration/server.ts';
import { broken, slice, type Fault } from '../../shared/configuration/slice.ts';
import { OPENFGA } from '../../shared/configuration/stores.ts';
import { httpBase, rate, textSource, whole } from '../../shared/configuration/values.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';
import { canSign } from '../../shared/keys/signing-keys.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';
import { modelFile } from './match/rules/model.ts';
import { faultsOfTexts, type RulesTexts } from './match/store.ts';

export interface GatewayConfig {
  readonly targets: Targets;
  readonly rules: RulesTexts;
  readonly rateLimit: RatePolicy;
  /** Milliseconds an allow is cached; 0 = never. */
  readonly decisionTtlMs: number;
  readonly upstreamTimeoutMs: number;
  readonly assertion: AssertionConfig;
}

/** Base URLs by the `target` of a rule; `upstream` is always present. */
export type Targets = Readonly<{ upstream: string }> & Readonly<Record<string, string | undefined>>;

export type AssertionConfig =
  | { readonly kind: 'keys'; readonly jwks: string }
  | { readonly kind: 'ephemeral' }
  | { readonly kind: 'off' };

export const RULES_FILE = 'config/access_rules.json';

export const GATEWAY = {
  name: 'gateway',
  paths: ['/forward-auth', '/.well-known/sallyport/jwks.json'],
  slice: slice({
    variables: {
      UPSTREAM_URL: httpBase,
      ACCESS_RULES: z.string().default(RULES_FILE),
      OPENFGA_MODEL: z.string().optional(),
      RATE_LIMIT: rate('default').prefault('100/60s'),
      DECISION_TTL: whole(0, 3600, 'seconds').default(30),
      UPSTREAM_TIMEOUT_MS: whole(1, 3_600_000, 'milliseconds').default(30_000),
      ASSERTION_KEYS: z
        .string()
        .refine(
          (text) => text === 'off' || canSign(text),
          'write a private JWK set of P-256 keys with kid (`npx sallyport keys generate` makes one), or off',
        )
        .optional(),
      // Targets of every configuration.
      OPENFGA_URL: httpBase,
      ...ZITADEL_URLS,
    },
    examples: {
      UPSTREAM_URL: 'https://api.internal.example.org',
      OPENFGA_URL: OPENFGA.variables.get('OPENFGA_URL'),
      ASSERTION_KEYS: '{"keys":[{"kty":"EC",…}]}',
    },
    faults: ({ written }) => [
      ...targetsIn(written).faults,
      ...broken([
        meansProduction(written) && written['ASSERTION_KEYS'] === undefined,
        'ASSERTION_KEYS',
        'is missing: run `npx sallyport keys generate`, or write off to send no assertion',
      ]),
    ],
    texts: ({ written }, files, faults) => {
      const current = textSource(written['ACCESS_RULES'] ?? RULES_FILE);
      const model = modelFile(written['OPENFGA_MODEL']);
      return faultsOfTexts({ current, model }, targetNames(written, faults), files);
    },
    read(v, { written }): GatewayConfig {
      const zitadel = zitadelUrl(v);
      return {
        targets: {
          ...targetsIn(written).targets,
          ...(zitadel !== undefined && { zitadel }),
          openfga: v.OPENFGA_URL,
          upstream: v.UPSTREAM_URL,
        },
        rules: { current: textSource(v.ACCESS_RULES), model: modelFile(v.OPENFGA_MODEL) },
        rateLimit: v.RATE_LIMIT,
        decisionTtlMs: v.DECISION_TTL * 1000,
        upstreamTimeoutMs: v.UPSTREAM_TIMEOUT_MS,
        assertion: assertionOf(v.ASSERTION_KEYS),
      };
    },
    warnings: ({ assertion }) =>
      broken([
        assertion.kind === 'ephemeral',
        'ASSERTION_KEYS',
        'is absent: an assertion key is made for this run only',
      ]),
  }),
} as const satisfies EdgeFunction;

function assertionOf(keys: string | undefined): AssertionConfig {
  if (keys === undefined) return { kind: 'ephemeral' };
  return keys === 'off' ? { kind: 'off' } : { kind: 'keys', jwks: keys };
}

/** The targets of TARGET_<NAME>_URL. */
export function targetsIn(written: Written): {
  readonly targets: Readonly<Record<string, string>>;
  readonly faults: readonly Fault[];
} {
  const faults: Fault[] = [];
  const targets: Record<string, string> = {};
  for (const [variable, value] of Object.entries(written)) {
    const target = targetNamedBy(variable);
    if (target === undefined) continue;
    const { data, error } = httpBase.safeParse(value);
    if (data !== undefined) targets[target] = data;
    for (const { message } of error?.issues ?? []) faults.push({ variable, problem: message });
  }
  return { targets, faults };
}

/** Includes targets of faulty or missing variables: their rules have no fault of their own. */
function targetNames(written: Written, faults: readonly Fault[]): ReadonlySet<string> {
  const names = [...Object.keys(written), ...faults.map(({ variable }) => variable)];
  const zitadel = names.some((name) => name === 'ZITADEL_API_URL' || name === 'ZITADEL_ISSUER_URL');
  const named = names.flatMap((name) => targetNamedBy(name) ?? []);
  return new Set(['upstream', 'openfga', ...(zitadel ? ['zitadel'] : []), ...named]);
}
