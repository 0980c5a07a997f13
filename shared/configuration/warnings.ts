import type { CountersConfig, DatabaseConfig } from './config.ts';
import { parseDatabaseUrl } from '../database/url.ts';
import type { Fault, Variables } from './variables.ts';

/** Below it a secret that was not made at random can be found by trying. */
const SHORT_TOKEN = 16;

/** What runs, but perhaps not as meant. `database`: what a Worker would speak to; null on Node. `namesIssuers`: there is an ISSUER_<NAME>_URL. */
export function warningsOf(
  v: Variables,
  counters: CountersConfig,
  database: DatabaseConfig | null,
  namesIssuers: boolean,
): Fault[] {
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
  if (v.ZITADEL_ISSUER_URL === undefined && v.KANIDM_ISSUER_URL === undefined && !namesIssuers) {
    warnings.push({
      variable: 'ZITADEL_ISSUER_URL',
      problem: 'is absent, and KANIDM_ISSUER_URL and every ISSUER_<NAME>_URL too: no token is accepted',
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
  if (v.METRICS_TOKEN !== undefined && v.METRICS_TOKEN.length < SHORT_TOKEN) {
    warnings.push({
      variable: 'METRICS_TOKEN',
      problem: `has fewer than ${SHORT_TOKEN} characters and may be guessed: write a longer, random one`,
    });
  }
  return warnings;
}
