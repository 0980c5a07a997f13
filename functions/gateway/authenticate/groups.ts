import * as z from 'zod';
import { ProviderUnavailable } from '../../../shared/errors.ts';
import { groupId } from '../../../shared/identity/group-ids.ts';
import type { Discovery, ProviderDeps } from '../../../shared/keys/discovery.ts';
import { boundOf, fetchJson, withoutNulls } from '../../../shared/keys/fetch-json.ts';
import type { Claims, Identity } from './principal.ts';
import { invalidToken } from './token.ts';

/**
 * Ids of the groups of a token's subject, as in kanidm_tenant_groups. Rejects with ProviderUnavailable, and with Refusal
 * `invalid_token` when the provider no longer accepts the token.
 */
export type GroupsOf = (identity: Identity, claims: Claims, token: string) => Promise<readonly string[]>;

/** Pause after a failed call: an outage delays one request in five seconds. */
const PAUSE_MS = 5_000;
/** Far above real memberships; bounds a query. */
const MOST_GROUPS = 1_000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const userinfoSchema = z.looseObject({
  sub: z.string(),
  groups: z.array(z.string()).default([]),
});

/** The token lacks the scope (RFC 6750 §3.1). */
class NotDisclosed extends Error {
  override readonly name = 'NotDisclosed';
}

/** `discovery`: Kanidm's; undefined where it is not configured. */
export function createGroups(discovery: Discovery | undefined, deps: ProviderDeps): GroupsOf {
  let failure: { readonly error: ProviderUnavailable; readonly untilMs: number } | undefined;
  const ask = async (token: string): Promise<z.infer<typeof userinfoSchema>> => {
    if (discovery === undefined) throw new ProviderUnavailable('KANIDM_ISSUER_URL is not set');
    if (failure !== undefined && deps.clock.now() < failure.untilMs) throw failure.error;
    try {
      return await userinfo(discovery, token, deps);
    } catch (error) {
      if (error instanceof ProviderUnavailable) failure = { error, untilMs: deps.clock.now() + PAUSE_MS };
      throw error;
    }
  };
  const askOnce = deps.collapse(ask);
  return async ({ issuer, issuerName }, claims, token) => {
    if (issuerName === 'zitadel') return rolesOf(claims, issuer);
    try {
      const { sub, groups } = await askOnce(token);
      // OpenID Connect Core §5.3.2: an answer about another subject must not be used.
      if (sub !== claims['sub']) throw new ProviderUnavailable('userinfo names another subject');
      // Names may be given away and taken again, ids not.
      return groups.filter((group) => UUID.test(group)).slice(0, MOST_GROUPS);
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

/** Zitadel's claims of granted roles: of the client's own project, and of each that a scope asks for. */
const ROLES = /^urn:zitadel:iam:org:project:(?:\d{1,32}:)?roles$/;
const rolesSchema = z.record(z.string(), z.record(z.string(), z.unknown())).catch({});

/** Each role that an organisation grants is a group. */
function rolesOf(claims: Claims, issuer: string): readonly string[] {
  const ids = new Set<string>();
  for (const [claim, value] of Object.entries(claims)) {
    if (!ROLES.test(claim)) continue;
    for (const [role, grantedBy] of Object.entries(rolesSchema.parse(value)))
      for (const organization of Object.keys(grantedBy))
        if (ids.size < MOST_GROUPS) ids.add(groupId({ issuer, organization, role }));
  }
  return [...ids];
}
