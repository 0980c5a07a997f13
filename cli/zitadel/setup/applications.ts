import { Failure } from '../../failure.ts';
import {
  createApiApplication,
  createOidcApplication,
  renewClientSecret,
  settingsOf,
  updateApiApplication,
  updateOidcApplication,
  type Application,
  type MadeApplication,
  type OidcSettings,
} from '../api/applications.ts';
import type { ProjectPlace } from '../api/projects.ts';
import type { Wanted } from './file.ts';
import type { OutFile } from './out.ts';
import { differences, RENEWED, type Plan, type Setup } from './plan.ts';

const BASIC = 'API_AUTH_METHOD_TYPE_BASIC';
const OIDC_BASIC = 'OIDC_AUTH_METHOD_TYPE_BASIC';

/** One application, whichever kind it is. */
interface Kind {
  readonly kind: 'api' | 'oidc';
  readonly name: string;
  readonly variables: { readonly id: string; readonly secret: string };
  readonly create: (place: ProjectPlace) => Promise<MadeApplication>;
  /** Members that differ; undefined: it is there as another kind. */
  readonly differing: (found: Application) => readonly string[] | undefined;
  readonly update: (place: ProjectPlace, found: Application) => Promise<void>;
  /** It has authenticated in another way, so that there is no secret. */
  readonly hasNoSecret: (found: Application) => boolean;
}

export function planApplications(
  setup: Setup,
  plan: Plan,
  applications: readonly Application[],
  placed: () => ProjectPlace,
): void {
  const { wanted, client } = setup;
  const kinds: Kind[] = [];
  if (wanted.api !== undefined) kinds.push(apiKind(client, wanted.api.name));
  if (wanted.web !== undefined) kinds.push(webKind(client, wanted.web, wanted.publicUrl));
  for (const kind of kinds)
    planApplication(
      setup,
      plan,
      kind,
      applications.find(({ name }) => name === kind.name),
      placed,
    );
}

function planApplication(
  setup: Setup,
  plan: Plan,
  kind: Kind,
  found: Application | undefined,
  placed: () => ProjectPlace,
): void {
  const { out, asked } = setup;
  const { name, variables } = kind;
  const what = `application ${name}`;
  if (found === undefined) {
    plan.secrets.set(variables.secret, []);
    plan.make(what, async () => {
      const made = await kind.create(placed());
      await keepClient(out, kind, made.clientId);
      await out.keep(variables.secret, made.clientSecret, made.clientId);
      asked.carriedOut(variables.secret);
    });
    return;
  }
  const differing = kind.differing(found);
  if (differing === undefined)
    throw new Failure(`${what} is there, but as another kind: remove it, or name another`);
  if (differing.length === 0) plan.kept.push(what);
  else plan.change(what, differing.join(', '), () => kind.update(placed(), found));
  if (found.state === 'APP_STATE_INACTIVE')
    plan.notes.push(`${what} is deactivated: it does nothing until it is activated`);
  planSecret(setup, plan, kind, found, placed);
}

/** The secret of an application that is there. */
function planSecret(
  { client, out, asked }: Setup,
  plan: Plan,
  kind: Kind,
  found: Application,
  placed: () => ProjectPlace,
): void {
  const { name, variables } = kind;
  const clientId = (found.apiConfig ?? found.oidcConfig)?.clientId ?? '';
  plan.values.push((to) => keepClient(to, kind, clientId));
  const held = out.get(variables.secret);
  const lost = isLost(out, variables.secret, clientId);
  if (lost || asked.renews(variables.secret) || kind.hasNoSecret(found)) {
    plan.secrets.set(variables.secret, held === undefined ? [] : [RENEWED]);
    const why = lost ? 'that of a run that was cut off never arrived' : 'a new one, which ends the old';
    plan.change(`client secret of ${name}`, why, async () => {
      const secret = await renewClientSecret(client, placed(), { id: found.id, kind: kind.kind });
      await out.keep(variables.secret, secret, clientId);
      asked.carriedOut(variables.secret);
    });
    return;
  }
  if (held !== undefined && out.pending(variables.secret) !== undefined)
    plan.values.push((to) => to.keep(variables.secret, held, clientId));
  plan.unchecked.push(uncheckedSecret(out, variables, clientId));
}

/** A run was cut off while it made the secret, and the one that is held is none that the application still has. */
function isLost(out: OutFile, secret: string, clientId: string): boolean {
  const pending = out.pending(secret);
  if (pending === undefined) return false;
  return pending.includes(RENEWED) || out.get(secret) === undefined || out.belongsTo(secret) !== clientId;
}

/** Zitadel keeps a hash of it. */
function uncheckedSecret(out: OutFile, { id, secret }: Kind['variables'], clientId: string): string {
  const owner = out.belongsTo(secret) ?? out.get(id) ?? clientId;
  if (out.get(secret) !== undefined && owner === clientId)
    return `${secret}: kept as --out holds it; Zitadel does not show it`;
  const where = out.path === null ? 'without --out' : `${out.path} does not hold that of client ${clientId}`;
  return `${secret}: ${where}, and Zitadel does not show it; --renew ${secret} makes a new one, which ends the old`;
}

async function keepClient(out: OutFile, { variables, kind }: Kind, clientId: string): Promise<void> {
  await out.keep(variables.id, clientId);
  // Tokens of the people who sign in at it.
  if (kind === 'oidc') await out.keepAmong('ZITADEL_AUDIENCE', clientId);
}

function apiKind(client: Setup['client'], name: string): Kind {
  const methodOf = ({ apiConfig }: Application): string => apiConfig?.authMethodType ?? BASIC;
  return {
    ...{ kind: 'api', name },
    variables: { id: 'ZITADEL_CLIENT_ID', secret: 'ZITADEL_CLIENT_SECRET' },
    create: (place) => createApiApplication(client, place, { name, authMethodType: BASIC }),
    differing: (found) => {
      if (found.apiConfig === undefined) return undefined;
      return methodOf(found) === BASIC ? [] : ['authMethodType'];
    },
    update: (place, found) => updateApiApplication(client, place, found.id, BASIC),
    hasNoSecret: (found) => methodOf(found) !== BASIC,
  };
}

function webKind(
  client: Setup['client'],
  web: NonNullable<Wanted['web']>,
  publicUrl: string | undefined,
): Kind {
  const wanted = webSettings(web, publicUrl);
  const { name } = web;
  return {
    ...{ kind: 'oidc', name },
    variables: { id: 'ZITADEL_OAUTH_CLIENT_ID', secret: 'ZITADEL_OAUTH_CLIENT_SECRET' },
    create: (place) => createOidcApplication(client, place, name, wanted),
    differing: ({ oidcConfig }) => oidcConfig && differences(oidcConfig, wanted),
    update: (place, { id, oidcConfig }) =>
      updateOidcApplication(client, place, id, { ...(oidcConfig && settingsOf(oidcConfig)), ...wanted }),
    hasNoSecret: ({ oidcConfig }) => (oidcConfig?.authMethodType ?? OIDC_BASIC) !== OIDC_BASIC,
  };
}

const PATHS = {
  callback: '/api/v1/auth/oauth/callback/zitadel',
  backChannelLogout: '/api/v1/auth/oauth/backchannel-logout/zitadel',
};

function webSettings(
  { redirectUris, postLogoutRedirectUris, backChannelLogoutUri, accessToken }: NonNullable<Wanted['web']>,
  publicUrl: string | undefined,
): OidcSettings {
  const below = (path: string): string[] =>
    publicUrl === undefined ? [] : [publicUrl.replace(/\/+$/, '') + path];
  const redirects = redirectUris ?? below(PATHS.callback);
  return {
    redirectUris: redirects,
    responseTypes: ['OIDC_RESPONSE_TYPE_CODE'],
    grantTypes: ['OIDC_GRANT_TYPE_AUTHORIZATION_CODE', 'OIDC_GRANT_TYPE_REFRESH_TOKEN'],
    appType: 'OIDC_APP_TYPE_WEB',
    authMethodType: OIDC_BASIC,
    postLogoutRedirectUris,
    backChannelLogoutUri: backChannelLogoutUri ?? below(PATHS.backChannelLogout)[0] ?? '',
    accessTokenType: accessToken === 'jwt' ? 'OIDC_TOKEN_TYPE_JWT' : 'OIDC_TOKEN_TYPE_BEARER',
    // Zitadel takes http redirects in development mode alone.
    devMode: redirects.some((uri) => uri.startsWith('http://')),
  };
}
