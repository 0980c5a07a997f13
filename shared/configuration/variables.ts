import * as z from 'zod';
import { parseRate } from '../counting/rate.ts';

/** What process.env and Worker bindings have in common: names and values, unchecked. */
export type RawEnvironment = Readonly<Record<string, unknown>>;

/** A variable that cannot be used, and what to write instead. Never its value: it may be a secret. */
export interface Fault {
  readonly variable: string;
  readonly problem: string;
}

const list = z.string().transform((text) => text.split(',').flatMap((item) => item.trim() || []));

/** URL.parse() came to Node after the oldest version we run on. */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function url(protocols: readonly string[]) {
  const wanted = protocols.map((protocol) => `${protocol}//…`).join(' or ');
  return (
    z
      .string()
      .refine((text) => protocols.includes(parseUrl(text)?.protocol ?? ''), `write a URL: ${wanted}`)
      // The parser drops tabs and line breaks in silence, and whoever compares bytes does not.
      .refine(
        (text) => parseUrl(text) === undefined || !/[\s\p{Cc}\p{Cf}]/u.test(text),
        'write the URL without white space or invisible characters',
      )
  );
}

/** Text that is no URL at all has that fault already: it gets no second one. */
function withoutParts(...parts: readonly ('search' | 'hash' | 'username' | 'password')[]) {
  return (text: string): boolean => {
    const parsed = parseUrl(text);
    return parsed === undefined || parts.every((part) => parsed[part] === '');
  };
}

/** A base URL that paths are appended to: no query, no fragment, no credentials, no trailing slash kept. */
const httpBase = url(['http:', 'https:'])
  .refine(
    withoutParts('search', 'hash', 'username', 'password'),
    'write a URL without query, fragment or credentials',
  )
  .transform((text) => text.replace(/\/+$/, ''));

function whole(minimum: number, maximum: number, unit: string) {
  const problem = `write a whole number of ${unit} from ${minimum} to ${maximum}`;
  return z
    .string()
    .regex(/^\s*\d+\s*$/, problem)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, problem);
}

/** Node's pool, Neon's driver and Hyperdrive all take it. */
export const postgresUrl = url(['postgres:', 'postgresql:']);

/** RFC 8414 §2 lets issuers carry a path; they are compared byte for byte, so nothing is normalised here. */
export const issuerUrl = url(['https:', 'http:']).refine(
  withoutParts('username', 'password'),
  'write the issuer without credentials: it is shown in the log and in /ready',
);

/** Compared as they are: a wildcard, or a list in the form of JSON, would match no token and say nothing. */
function plain(names: readonly string[]): boolean {
  return names.every((name) => !/[*"]/.test(name));
}

export const audiences = list.pipe(
  z
    .array(z.string())
    .min(1, 'write at least one audience, comma-separated')
    .refine(plain, 'name every audience, comma-separated and without quotes: there is no wildcard *'),
);

/** What OpenFGA names stores and models by; its SDK throws on anything else. https://github.com/ulid/spec */
const ulid = z
  .string()
  .regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/, 'write the id that `npx sallyport fga bootstrap` prints: a ULID');

/** The share of passed requests that get a line in the log; undefined for what is none of the three forms. */
function passingShare(text: string): number | undefined {
  if (text === 'all') return 1;
  if (text === 'refused') return 0;
  const share = /^sample:(0|1|0?\.\d{1,9}|1\.0{1,9})$/.exec(text)?.[1];
  return share === undefined ? undefined : Number(share);
}

/** One line per variable of docs/reference/variables.md: its shape and its default. */
export const VARIABLES = z.object({
  UPSTREAM_URL: httpBase,
  ACCESS_RULES: z.string().default('config/access_rules.json'),
  ACCESS_RULES_PREV: z.string().optional(),
  OPENFGA_URL: httpBase,
  OPENFGA_STORE_ID: ulid,
  OPENFGA_MODEL_ID: ulid.optional(),
  OPENFGA_MODEL: z.string().optional(),
  OPENFGA_API_TOKEN: z.string().optional(),
  ZITADEL_ISSUER_URL: issuerUrl.optional(),
  ZITADEL_API_URL: httpBase.optional(),
  ZITADEL_AUDIENCE: audiences.optional(),
  ZITADEL_CLIENT_ID: z.string().optional(),
  ZITADEL_CLIENT_SECRET: z.string().optional(),
  ZITADEL_ORGANIZATIONS: list
    .refine(plain, 'write ids of organisations, comma-separated and without quotes: there is no wildcard *')
    .default([]),
  ZITADEL_SERVICE_TOKEN: z.string().optional(),
  KANIDM_ISSUER_URL: issuerUrl.optional(),
  KANIDM_AUDIENCE: audiences.optional(),
  KANIDM_URL: httpBase.optional(),
  KANIDM_TOKEN: z.string().optional(),
  SHARED_SUBJECT_ISSUERS: list
    .pipe(z.array(z.enum(['zitadel', 'kanidm', 'session'], 'write names out of zitadel, kanidm, session')))
    .default(['zitadel']),
  REDIS_URL: url(['redis:', 'rediss:']).optional(),
  UPSTASH_REDIS_REST_URL: httpBase.optional(),
  UPSTASH_REDIS_REST_TOKEN: z.string().optional(),
  DATABASE_URL: postgresUrl.optional(),
  DATABASE_HTTP_ENDPOINT: httpBase.optional(),
  ALLOWED_ORIGINS: list.default([]),
  WEBHOOK_SIGNING_KEYS: list
    .pipe(z.array(z.string()).min(1, 'write at least one signing key, comma-separated'))
    .default([]),
  WEBHOOK_SHARED_SECRET: z.string().optional(),
  DEFAULT_GRANTS: z.string().default('config/default_grants.json'),
  RATE_LIMIT: z
    .string()
    .default('100/60s')
    .transform((text, context) => {
      const policy = parseRate(text, 'default');
      if (policy !== undefined) return policy;
      context.addIssue({ code: 'custom', message: 'write requests and a window, as in 100/60s' });
      return z.NEVER;
    }),
  RATE_LIMIT_FAILURE: z.enum(['local', 'open', 'closed'], 'write local, open or closed').default('local'),
  DECISION_TTL: whole(0, 3600, 'seconds').default(30),
  TRUSTED_PROXIES: list.default([]),
  MAX_BODY_BYTES: whole(0, 2 ** 40, 'bytes').default(10_485_760),
  UPSTREAM_TIMEOUT_MS: whole(1, 3_600_000, 'milliseconds').default(30_000),
  ASSERTION_KEYS: z.string().optional(),
  FEATURE_SYNC: z.enum(['off', 'start'], 'write off or start').default('off'),
  METRICS_TOKEN: z.string().optional(),
  ENVIRONMENT: z
    .enum(['development', 'production'], 'write development or production')
    .default('development'),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], 'write debug, info, warn, error or silent')
    .default('info'),
  LOG_REQUESTS: z
    .string()
    .transform((text, context) => {
      const share = passingShare(text);
      if (share !== undefined) return share;
      context.addIssue({ code: 'custom', message: 'write all, refused or a share, as in sample:0.01' });
      return z.NEVER;
    })
    .optional(),
  LOG_PATHS: z.enum(['on', 'off'], 'write on or off').default('on'),
  PORT: whole(0, 65_535, 'the port').default(3000),
  HOST: z.string().default('0.0.0.0'),
});

export type Variables = z.output<typeof VARIABLES>;

const SOUND_VARIABLES = VARIABLES.partial();

/** Those that are well-formed, whatever is wrong with others. */
export type SoundVariables = z.output<typeof SOUND_VARIABLES>;

/** What is set at all, well-formed or not. */
export type Written = Readonly<Record<string, string | undefined>>;

/** The target that TARGET_<NAME>_URL names; undefined for any other variable. */
export function targetNamedBy(variable: string): string | undefined {
  return /^TARGET_([A-Z0-9_]+)_URL$/.exec(variable)?.[1]?.toLowerCase();
}

/** Every variable read and checked by itself; shared/configuration/environment.ts checks what they mean together. */
export function readVariables(raw: RawEnvironment): {
  readonly variables: Variables | undefined;
  readonly sound: SoundVariables;
  readonly written: Written;
  readonly targets: Readonly<Record<string, string>>;
  readonly faults: readonly Fault[];
} {
  // An empty variable is an absent one: that is how Kubernetes and .env files leave a setting out. White space around a
  // value is of the file that it came from.
  const written: Written = Object.fromEntries(
    Object.entries(raw).flatMap(([name, value]) =>
      typeof value === 'string' && value.trim() !== '' ? [[name, value.trim()]] : [],
    ),
  );
  const faults: Fault[] = [];
  const targets: Record<string, string> = {};
  for (const [name, value] of Object.entries(written)) {
    const target = targetNamedBy(name);
    if (target === undefined) continue;
    const parsed = httpBase.safeParse(value);
    if (parsed.success) targets[target] = parsed.data;
    else faults.push(...toFaults(parsed.error, name));
  }
  const parsed = VARIABLES.safeParse(written, { reportInput: true });
  if (parsed.success) return { variables: parsed.data, sound: parsed.data, written, targets, faults };
  faults.push(...toFaults(parsed.error));
  return { variables: undefined, sound: soundOf(written, faults), written, targets, faults };
}

function soundOf(written: Written, faults: readonly Fault[]): SoundVariables {
  const faulty = new Set(faults.map(({ variable }) => variable));
  const others = Object.fromEntries(Object.entries(written).filter(([name]) => !faulty.has(name)));
  return SOUND_VARIABLES.safeParse(others).data ?? {};
}

function toFaults(error: z.ZodError, name?: string): Fault[] {
  return error.issues.map((issue) => {
    const variable = name ?? String(issue.path[0] ?? '');
    const absent = issue.code === 'invalid_type' && issue.input === undefined;
    return { variable, problem: absent ? 'is missing: set it' : issue.message };
  });
}
