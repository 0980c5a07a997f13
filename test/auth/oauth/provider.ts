import { createHash, randomUUID } from 'node:crypto';
import { createIssuer, type FakeIssuer, type SignOptions } from '../../support/issuer.ts';

/** An account at the provider. Claims go into ID token and userinfo. */
export interface Account {
  readonly sub: string;
  readonly email?: string;
  readonly name?: string;
  readonly groups?: readonly string[];
  readonly [claim: string]: unknown;
}

/** An OpenID provider whose answers a test may change. */
export interface FakeProvider {
  readonly issuer: FakeIssuer;
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Paths of the requests since the last call. */
  calls(): readonly string[];
  /** What a browser comes back with after it was sent to `location`: a path of the gateway. */
  approve(location: string, account: Account, more?: Readonly<Record<string, string>>): string;
  /** Codes count once; Kanidm's count more often. */
  codesCount: number;
  /** Over the claims and the header of every ID token. */
  idToken: { claims: Record<string, unknown>; sign: SignOptions; text?: (token: string) => string };
  /** Whether claims stand in userinfo alone. */
  idTokenIsBare: boolean;
  /** Over the answer to a code or a refresh token. */
  answer: Record<string, unknown>;
  /** Status and body of the token endpoint, whatever is asked. */
  tokenFault: { status: number; body: string } | undefined;
  /** The claims of a subject in userinfo from now on. */
  change(sub: string, claims: Record<string, unknown>): void;
  /** Ends all of a subject's sessions. */
  end(sub: string): void;
  /** The session that a subject's last sign-in began. */
  sidOf(sub: string): string | undefined;
  logoutToken(claims: Record<string, unknown>, sign?: SignOptions): Promise<string>;
  /** Undoes every fault and change of an answer. */
  reset(): void;
  close(): Promise<void>;
}

interface Grant {
  readonly account: Account;
  readonly sid: string;
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
  used: number;
}

interface Session {
  readonly grant: Grant;
  ended: boolean;
  /** The last one counts. */
  readonly refreshTokens: string[];
}

export async function startProvider(kind: 'kanidm' | 'zitadel'): Promise<FakeProvider> {
  const clientId = 'app_one';
  const clientSecret = `secret-${randomUUID()}`;
  const grants = new Map<string, Grant>();
  const sessions: Session[] = [];
  const accounts = new Map<string, Account>();

  const isClient = (request: Request, form: URLSearchParams): boolean => {
    if (form.get('client_secret') === clientSecret) return form.get('client_id') === clientId;
    const [, basic = ''] = /^Basic (.+)$/.exec(request.headers.get('authorization') ?? '') ?? [];
    const [id = '', secret = ''] = Buffer.from(basic, 'base64').toString().split(':');
    return decodeURIComponent(id) === clientId && decodeURIComponent(secret) === clientSecret;
  };
  const token = async (request: Request): Promise<Response> => {
    const form = new URLSearchParams(await request.text());
    const { tokenFault } = provider;
    if (tokenFault !== undefined) return new Response(tokenFault.body, { status: tokenFault.status });
    if (!isClient(request, form))
      return new Response('', { status: 401, headers: { 'www-authenticate': 'Bearer' } });
    return form.get('grant_type') === 'refresh_token' ? refreshed(form.get('refresh_token')) : redeemed(form);
  };
  const redeemed = async (form: URLSearchParams): Promise<Response> => {
    const grant = grants.get(form.get('code') ?? '');
    if (grant === undefined || grant.used >= provider.codesCount) return refused('invalid_grant');
    if (grant.redirectUri !== form.get('redirect_uri')) return refused('invalid_grant');
    if (grant.challenge !== digest(form.get('code_verifier') ?? '')) return refused('invalid_request');
    grant.used += 1;
    const session = { grant, ended: false, refreshTokens: [randomUUID()] };
    sessions.push(session);
    return tokens(session);
  };
  /** As at Kanidm, a refresh token that comes twice ends its session. */
  const refreshed = async (given: string | null): Promise<Response> => {
    const session = sessions.find(({ refreshTokens }) => refreshTokens.includes(given ?? ''));
    if (session?.refreshTokens.at(-1) !== given && session !== undefined) session.ended = true;
    if (session === undefined || session.ended) return refused('invalid_grant');
    session.refreshTokens.push(randomUUID());
    return tokens(session);
  };
  const tokens = async ({ grant, refreshTokens }: Session): Promise<Response> => {
    const { sub, ...claims } = accounts.get(grant.account.sub) ?? grant.account;
    const shown = provider.idTokenIsBare ? {} : { email_verified: true, ...claims };
    const sid = kind === 'zitadel' ? { sid: grant.sid } : {};
    const idToken = await issuer.sign(
      { aud: clientId, sub, nonce: grant.nonce, ...sid, ...shown, ...provider.idToken.claims },
      { header: { typ: undefined }, ...provider.idToken.sign },
    );
    const access = await issuer.sign({ sub, session_id: grant.sid }, { header: { typ: 'at+jwt' } });
    return Response.json({
      access_token: access,
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: refreshTokens.at(-1),
      id_token: provider.idToken.text?.(idToken) ?? idToken,
      ...provider.answer,
    });
  };
  const userinfo = async (request: Request): Promise<Response> => {
    const [, payload = ''] = (request.headers.get('authorization') ?? '').split('.');
    const { session_id: sid } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<
      string,
      string
    >;
    const session = sessions.find(({ grant }) => grant.sid === sid);
    if (session === undefined || session.ended)
      return Response.json(
        { error: 'invalid_token' },
        { status: 401, headers: { 'www-authenticate': 'Bearer' } },
      );
    return Response.json(accounts.get(session.grant.account.sub) ?? session.grant.account);
  };

  const issuer = await createIssuer({ endpoints: { '/token': token, '/userinfo': userinfo } });
  const served = await issuer.listen();
  Object.assign(issuer.metadata, {
    authorization_endpoint: `${served.url}/authorize`,
    token_endpoint: `${served.url}/token`,
    userinfo_endpoint: `${served.url}/userinfo`,
    ...(kind === 'kanidm' && { scopes_supported: ['email', 'groups', 'openid', 'profile'] }),
    ...(kind === 'zitadel' && { authorization_response_iss_parameter_supported: true }),
  });
  const provider: FakeProvider = {
    issuer,
    url: served.url,
    clientId,
    clientSecret,
    calls: () => issuer.requests.splice(0),
    approve(location, account, more = {}) {
      const asked = new URL(location).searchParams;
      const code = randomUUID();
      accounts.delete(account.sub);
      const redirectUri = asked.get('redirect_uri') ?? '';
      const [nonce, challenge] = [asked.get('nonce') ?? '', asked.get('code_challenge') ?? ''];
      grants.set(code, { account, sid: randomUUID(), nonce, challenge, redirectUri, used: 0 });
      const back = new URL(redirectUri);
      const itself = kind === 'zitadel' ? { iss: served.url } : {};
      const answered = { code, state: asked.get('state') ?? '', ...itself, ...more };
      for (const [name, value] of Object.entries(answered)) back.searchParams.set(name, value);
      return back.pathname + back.search;
    },
    codesCount: kind === 'kanidm' ? Infinity : 1,
    ...straight(),
    change: (sub, claims) => void accounts.set(sub, { sub, ...claims }),
    end(sub) {
      for (const session of sessions) if (session.grant.account.sub === sub) session.ended = true;
    },
    sidOf: (sub) => sessions.findLast(({ grant }) => grant.account.sub === sub)?.grant.sid,
    logoutToken: (claims, sign = {}) =>
      issuer.sign(
        { aud: clientId, sub: undefined, jti: randomUUID(), events: { [LOGOUT]: {} }, ...claims },
        { header: { typ: 'logout+jwt' }, ...sign },
      ),
    reset() {
      issuer.faults.clear();
      Object.assign(provider, straight());
    },
    close: () => served.close(),
  };
  return provider;
}

const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';

/** No faults. */
function straight(): Pick<FakeProvider, 'idToken' | 'idTokenIsBare' | 'answer' | 'tokenFault'> {
  return { idToken: { claims: {}, sign: {} }, idTokenIsBare: false, answer: {}, tokenFault: undefined };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function refused(error: string): Response {
  return Response.json({ error }, { status: 400 });
}
