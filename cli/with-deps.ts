import { DatabaseError, DatabaseUnavailable } from '../shared/ports/database.ts';
import { createDeps, type Deps } from '../shared/deps.ts';
import { parseEnvironment } from '../shared/configuration/environment.ts';
import { CountersUnavailable, ProviderUnavailable, RelationsUnavailable } from '../shared/errors.ts';
import { Failure, missing, withoutTables } from './failure.ts';
import { openFgaFailure } from './fga/connect.ts';
import { environment } from './terminal.ts';

const OURS = [DatabaseUnavailable, DatabaseError, ProviderUnavailable, CountersUnavailable];

/** Values that stand for variables a command does not use, so that it never asks for them; empty is absent. */
type Unused = Readonly<Record<string, string>>;

const NOWHERE = 'http://unused.invalid';

/** No command judges requests. */
const JUDGING: Unused = {
  UPSTREAM_URL: NOWHERE,
  ACCESS_RULES: '[]',
  ACCESS_RULES_PREV: '',
  FEATURE_SYNC: '',
  ZITADEL_AUDIENCE: 'unused',
  ZITADEL_CLIENT_ID: '',
  ZITADEL_CLIENT_SECRET: '',
  ZITADEL_ORGANIZATIONS: '',
  KANIDM_ISSUER_URL: '',
  KANIDM_AUDIENCE: '',
  KANIDM_URL: '',
  WEBHOOK_SIGNING_KEYS: '',
  ALLOWED_ORIGINS: '',
  TRUSTED_PROXIES: '',
  RATE_LIMIT: '',
  DECISION_TTL: '',
  MAX_BODY_BYTES: '',
  UPSTREAM_TIMEOUT_MS: '',
  ASSERTION_KEYS: 'off',
  PORT: '',
};

const TUPLES: Unused = {
  OPENFGA_URL: NOWHERE,
  OPENFGA_STORE_ID: '00000000000000000000000000',
  OPENFGA_MODEL_ID: '',
  DEFAULT_GRANTS: '[]',
};

/** Production demands a shared store of counters, because marks of revoked users are kept there. */
const MARKS: Unused = {
  ENVIRONMENT: '',
  REDIS_URL: '',
  UPSTASH_REDIS_REST_URL: '',
  UPSTASH_REDIS_REST_TOKEN: '',
  SHARED_SUBJECT_ISSUERS: '',
};

const UNUSED = {
  /** Applies events: tuples, marks, and the record in the database. */
  everything: JUDGING,
  marks: { ...JUDGING, ...TUPLES },
  events: { ...JUDGING, ...TUPLES, ...MARKS },
  database: { ...JUDGING, ...TUPLES, ...MARKS, ZITADEL_ISSUER_URL: '', ZITADEL_API_URL: '' },
} as const satisfies Record<string, Unused>;

/** What a command works on beside the database. */
export type Uses = keyof typeof UNUSED;

/** The bundle of the configured variables for one command; what is away or not configured is a Failure. */
export async function withDeps<T>(uses: Uses, work: (deps: Deps) => Promise<T>): Promise<T> {
  const parsed = parseEnvironment({ ...withoutTargets(), ...UNUSED[uses] }, 'node');
  const faults = parsed.ok ? [] : parsed.faults.map(({ variable, problem }) => `${variable} ${problem}`);
  if ((environment['DATABASE_URL'] ?? '').trim() === '') faults.unshift(missing('DATABASE_URL').message);
  if (!parsed.ok || faults.length > 0) throw new Failure(faults.join('\n'));
  // stdout belongs to the command's result.
  const deps = createDeps({ ...parsed.config, logLevel: 'silent' });
  try {
    return await work(deps);
  } catch (error) {
    if (error instanceof RelationsUnavailable) throw new Failure(openFgaFailure(error), { cause: error });
    const known = OURS.some((kind) => error instanceof kind);
    throw (
      withoutTables(error) ??
      (known && error instanceof Error ? new Failure(error.message, { cause: error }) : error)
    );
  } finally {
    await deps.close();
  }
}

/** Where rules lead: of no use to a command. */
function withoutTargets(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('TARGET_')));
}
