import * as z from 'zod';
import { ProviderUnavailable } from '../../../shared/errors.ts';
import { groupsOfKanidm, groupsOfZitadel } from '../../../shared/identity/tenant-groups.ts';
import type { Discovery, ProviderDeps } from '../../../shared/keys/discovery.ts';
import { boundOf, fetchJson, withoutNulls } from '../../../shared/keys/fetch-json.ts';
import type { Claims, Identity } from './principal.ts';
import { invalidToken } from './token.ts';

/**
 * Ids of the groups of a token's subject, as in kanidm_tenant_groups. Rejects with ProviderUnavailable, and with Refusal
 * `invalid_token` when the provider no longer accepts the token.
 */
export type GroupsOf = (identity: Identity, claims: Claims, token: string) => Promise<readonly string[]>;

/** Pause after a call without an answer: an outage delays one request in five seconds. */
const PAUSE_MS = 5_000;
/** Far above real memberships; bounds a query. */
const MOST_GROUPS = 1_000;

const userinfoSchema = z.looseObject({ sub: z.string() });

/** The token lacks the scope (RFC 6750 §3.1). */
class NotDisclosed extends Error {
  override readonly name = 'NotDisclosed';
}

export interface GroupSources {
  /** Kanidm's; undefined where it is not configured. */
  readonly kanidm: Discovery | undefined;
  /** ZITADEL_PROJECT_ID */
  readonly zitadelProject: string | null;
}

export function createGroups({ kanidm, zitadelProject }: GroupSources, deps: ProviderDeps): GroupsOf {
  let failure: { readonly error: ProviderUnavailable; readonly untilMs: number } | undefined;
  const ask = async (token: string): Promise<z.infer<typeof userinfoSchema>> => {
    if (kanidm === undefined) throw new ProviderUnavailable('KANIDM_ISSUER_URL is not set');
    if (failure !== undefined && deps.clock.now() < failure.untilMs) throw failure.error;
    const seen = { answered: false };
    const fetch: ProviderDeps['fetch'] = async (url, init) => {
      const answer = await deps.fetch(url, init);
      seen.answered = answer.status < 500;
      return answer;
    };
    try {
      return await userinfo(kanidm, token, { ...deps, fetch });
    } catch (error) {
      // An answer that cannot be used is about this caller, and says nothing of others.
      if (error instanceof ProviderUnavailable && !seen.answered)
        failure = { error, untilMs: deps.clock.now() + PAUSE_MS };
      throw error;
    }
  };
  return async ({ issuer, issuerName }, claims, token) => {
    if (issuerName === 'zitadel')
      return groupsOfZitadel({ issuer, projectId: zitadelProject }, claims).slice(0, MOST_GROUPS);
    try {
      const about = await ask(token);
      // OpenID Connect Core §5.3.2: an answer about another subject must not be used.
      if (about.sub !== claims['sub']) throw new ProviderUnavailable('userinfo names another subject');
      return groupsOfKanidm(about).slice(0, MOST_GROUPS);
    } catch (error) {
      if (error instanceof NotDisclosed) return [];
      throw error;
    }
  };
}

async function userinfo(discovery: Discovery, token: string, deps: ProviderDeps) {
  const bound = boundOf(deps);
  const { userinfoEndpoint: url } = await discovery.metadata();
  if (url === undefined) throw new ProviderUnavailable(`${discovery.issuerUrl}: names no userinfo endpoint`);
  const init = { headers: { authorization: `Bearer ${token}`, accept: 'application/json' } };
  const refused = (status: number): Error | undefined => {
    if (status === 401) return invalidToken('userinfo refuses it');
    return status === 403 ? new NotDisclosed() : undefined;
  };
  const answer = await fetchJson(deps.fetch, url, { init, bound, refused });
  const parsed = userinfoSchema.safeParse(withoutNulls(answer));
  if (!parsed.success) throw new ProviderUnavailable(`${url}: not a userinfo answer`);
  return parsed.data;
}
