/** The texts of a check, for wherever one is shown. */
export interface Described {
  /** Without it the check is skipped. */
  readonly needs: string;
  /** What green means. */
  readonly green: string;
  /** What red most often comes from. */
  readonly cause: string;
  /** The step that goes on where the finding has none of its own. */
  readonly next: string;
}

/** What requests need: the checks behind /ready. */
export const REQUESTS = {
  configuration: {
    needs: 'a variable that only a gateway reads, as UPSTREAM_URL',
    green: 'the gateway would start: every variable, and every text that one names, can be used',
    cause: 'a variable is missing or malformed, or a rule of the access rules is wrong',
    next: 'docs/reference/variables.md has every variable; `sallyport rules check` every fault of the rules',
  },
  keys: {
    needs: 'an issuer (ZITADEL_ISSUER_URL, KANIDM_ISSUER_URL, ISSUER_<NAME>_URL)',
    green: 'each issuer publishes keys that verify its tokens',
    cause: 'the provider is away, or publishes no key that may be used',
    next: 'open the jwks_uri of the discovery document from this network',
  },
  openfga: {
    needs: 'OPENFGA_URL, OPENFGA_STORE_ID',
    green: 'OpenFGA answers, takes OPENFGA_API_TOKEN and has the store',
    cause: 'OPENFGA_URL leads elsewhere, the network does not, or the store is another one',
    next: 'sallyport fga bootstrap --check',
  },
  'rules-model': {
    needs: 'OPENFGA_URL, OPENFGA_STORE_ID',
    green: 'the model that OpenFGA uses has every type and relation that the rules ask for',
    cause: 'the rules are newer than the model of the store',
    next: 'sallyport rules check --store',
  },
  redis: {
    needs: 'REDIS_URL, or UPSTASH_REDIS_REST_URL and its token',
    green: 'the counter store counts by its script, may write, and drops nothing when it is full',
    cause:
      'the store is away, a replica, full, or without a right; rate limits are then counted by each process alone, or skipped with RATE_LIMIT_FAILURE=open',
    next: 'redis-cli -u "$REDIS_URL" ping',
  },
  database: {
    needs: 'DATABASE_URL',
    green: 'Postgres answers, takes writes, and its role has the rights on our tables',
    cause: 'the server is away or read-only, or the role lacks a right',
    next: 'sallyport db status',
  },
  targets: {
    needs: 'UPSTREAM_URL and rules',
    green: 'every target that a rule names answers',
    cause: 'the API behind the gateway is away, or the address is wrong',
    next: "open the address from the gateway's own network",
  },
  'webhook-inbox': {
    needs: 'DATABASE_URL, ZITADEL_ISSUER_URL',
    green: 'no event is set aside, and none waits for more than ten minutes',
    cause: 'OpenFGA refused an event for good, or no job applies them',
    next: 'sallyport webhooks list --status dead',
  },
  'mail-queue': {
    needs: 'DATABASE_URL, MAIL_URL',
    green: 'no mail of the last day is set aside, and none waits for more than an hour',
    cause: 'the mail server refused mails for good, or no job sends them',
    next: 'sallyport mail list --status dead',
  },
  'feature-migration': {
    needs: 'DATABASE_URL, ACCESS_RULES_PREV',
    green: 'both rules files can be read, and no change of features is half done',
    cause: 'a rules file is missing or wrong, or a run was cut off',
    next: 'sallyport rules sync --dry-run',
  },
} as const satisfies Readonly<Record<string, Described>>;

/** A check that /ready shows as well. */
export type RequestCheck = keyof typeof REQUESTS;
