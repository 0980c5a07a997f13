import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { importJWK, jwtVerify, SignJWT, type CryptoKey, type JWK } from 'jose';
import { generateKey } from '../keys.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Entry, Store } from './store.ts';

export interface ClientOptions {
  readonly name: string;
  readonly displayname?: string;
  /** Absent: a public client. */
  readonly secret?: string;
  readonly redirectUris: readonly string[];
  /** False: no consent page, as where `oauth2_consent_prompt_enable` is false. */
  readonly consentPrompt?: boolean;
  /** Scopes by the group whose members have them. */
  readonly scopes: Readonly<Record<string, readonly string[]>>;
}

export interface Client extends ClientOptions {
  readonly key: CryptoKey;
  readonly verifying: CryptoKey;
  readonly publicKey: JWK;
}

/** A sign-in at one client. */
interface Grant {
  readonly id: string;
  readonly client: Client;
  readonly person: string;
  readonly parent: Session;
  readonly scopes: readonly string[];
  readonly nonce: string | undefined;
  /** The only refresh token that counts. */
  refresh: string;
  ended: boolean;
}

interface Code {
  readonly client: Client;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly parent: Session;
  readonly scopes: readonly string[];
  readonly nonce: string | undefined;
  readonly expires: number;
}

type TokenFault = 'invalid_request' | 'invalid_grant' | 'invalid_scope';

const CODE_MS = 60_000;
const ACCESS_S = 900;

/** OAuth2 and OpenID Connect of Kanidm: each client is an issuer of its own. */
export class OAuth2 {
  readonly #url: string;
  readonly #store: Store;
  readonly #sessions: Sessions;
  readonly #now: () => number;
  readonly #clients = new Map<string, Client>();
  readonly #codes = new Map<string, Code>();
  readonly #grants = new Map<string, Grant>();
  readonly #refresh = new Map<string, Grant>();
  readonly #consents = new Set<string>();

  constructor(url: string, store: Store, sessions: Sessions, now: () => number) {
    this.#url = url;
    this.#store = store;
    this.#sessions = sessions;
    this.#now = now;
  }

  async addClient(options: ClientOptions): Promise<Client> {
    const jwk = await generateKey('ES256', randomBytes(6).toString('hex'));
    const { kty, crv, x, y, alg, use, kid } = jwk;
    const publicKey = { kty, crv, x, y, alg, use, kid } as JWK;
    const [key, verifying] = await Promise.all([importJWK(jwk, 'ES256'), importJWK(publicKey, 'ES256')]);
    if (key instanceof Uint8Array || verifying instanceof Uint8Array)
      throw new Error('not a key of an elliptic curve');
    const client = { ...options, key, verifying, publicKey };
    this.#clients.set(options.name, client);
    return client;
  }

  client(name: string): Client | undefined {
    return this.#clients.get(name);
  }

  issuer({ name }: Pick<Client, 'name'>): string {
    return `${this.#url}/oauth2/openid/${name}`;
  }

  /** Scopes that a person may have of a client; null: none at all. */
  scopesFor(client: Client, person: Entry): readonly string[] | null {
    const groups = this.#store.groupsOf(person).map(({ name }) => name);
    const scopes = Object.entries(client.scopes).flatMap(([group, all]) =>
      groups.includes(group) ? [...all] : [],
    );
    return scopes.length === 0 ? null : [...new Set(scopes)];
  }

  /** Whether no consent page is shown: the person agreed before, or need not. */
  consented(client: Client, person: string, scopes: readonly string[]): boolean {
    return client.consentPrompt === false || this.#consents.has(consentKey(client, person, scopes));
  }

  consent(client: Client, person: string, scopes: readonly string[]): void {
    this.#consents.add(consentKey(client, person, scopes));
  }

  code(request: Omit<Code, 'expires'>): string {
    const code = randomBytes(48).toString('base64url');
    this.#codes.set(code, { ...request, expires: this.#now() + CODE_MS });
    return code;
  }

  /** A code counts as often as it is used within its minute. */
  async redeem(client: Client, form: URLSearchParams): Promise<object | TokenFault> {
    const code = this.#codes.get(form.get('code') ?? '');
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (code === undefined || code.expires <= this.#now() || code.client !== client) return 'invalid_request';
    if (verifier !== code.challenge || form.get('redirect_uri') !== code.redirectUri)
      return 'invalid_request';
    const { parent, scopes, nonce } = code;
    const grant: Grant = {
      ...{ id: randomUUID(), client, person: parent.person, parent, scopes, nonce },
      refresh: '',
      ended: false,
    };
    this.#grants.set(grant.id, grant);
    return this.#tokens(grant);
  }

  /** Rotated; an old one ends the grant. */
  async refreshed(client: Client, form: URLSearchParams): Promise<object | TokenFault> {
    const token = form.get('refresh_token') ?? '';
    const grant = this.#refresh.get(token);
    if (grant === undefined || grant.client !== client) return 'invalid_grant';
    const wanted = form.get('scope')?.split(' ') ?? [];
    if (wanted.some((scope) => !grant.scopes.includes(scope))) return 'invalid_scope';
    if (grant.refresh !== token) grant.ended = true;
    return this.#lives(grant) ? this.#tokens(grant) : 'invalid_grant';
  }

  async #tokens(grant: Grant): Promise<object> {
    grant.refresh = Array.from({ length: 5 }, () => randomBytes(24).toString('base64url')).join('.');
    this.#refresh.set(grant.refresh, grant);
    const { client, scopes } = grant;
    const claims = this.#common(grant);
    const { jti, nonce, auth_time, ...rest } = claims;
    const access = {
      ...{ ...rest, jti, client_id: client.name, auth_time, scope: [...scopes].sort().join(' ') },
      ...(nonce !== undefined && { nonce }),
      ...{ session_id: grant.id, parent_session_id: grant.parent.id },
    };
    const sign = (body: object, header: object): Promise<string> =>
      new SignJWT({ ...body })
        .setProtectedHeader({ alg: 'ES256', kid: client.publicKey.kid ?? '', ...header })
        .sign(client.key);
    return {
      access_token: await sign(access, { typ: 'at+jwt' }),
      token_type: 'Bearer',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      expires_in: ACCESS_S,
      refresh_token: grant.refresh,
      scope: [...scopes].sort().join(' '),
      // An ID token differs from an access token by its lack of a typ alone.
      ...(scopes.includes('openid') && { id_token: await sign(this.#personal(grant), {}) }),
    };
  }

  #common({ id, client, person, parent, nonce }: Grant) {
    const now = Math.floor(this.#now() / 1_000);
    return {
      ...{ iss: this.issuer(client), sub: person, aud: client.name, exp: now + ACCESS_S, nbf: now, iat: now },
      ...{ auth_time: Math.floor(parent.since / 1_000), nonce, jti: id },
    };
  }

  /** Claims of the ID token and of userinfo, as the person is now. */
  #personal(grant: Grant): Record<string, unknown> {
    const person = this.#store.find(grant.person);
    const has = (scope: string): boolean => grant.scopes.includes(scope);
    const groups = person === undefined ? [] : this.#store.groupsOf(person);
    const { nonce, jti, ...common } = this.#common(grant);
    return {
      ...{ ...common, ...(nonce !== undefined && { nonce }), azp: grant.client.name, jti },
      scopes: [...grant.scopes].sort(),
      ...(has('profile') &&
        person && { name: person.displayname, preferred_username: this.#store.spn(person) }),
      ...(has('email') && person?.mail[0] !== undefined && { email: person.mail[0], email_verified: true }),
      ...(has('profile') && { updated_at: common.iat }),
      ...(has('groups') && { groups: groups.flatMap((group) => [group.uuid, this.#store.spn(group)]) }),
      ...(has('groups_name') && { groups: groups.map(({ name }) => name) }),
    };
  }

  #lives({ ended, parent, person }: Grant): boolean {
    return !ended && this.#sessions.lives(parent) && this.#store.find(person) !== undefined;
  }

  /** Throws where the token is none of any client's. */
  async #read(token: string, typ: 'at+jwt' | undefined): Promise<Grant | undefined> {
    for (const client of this.#clients.values()) {
      const options = { issuer: this.issuer(client), currentDate: new Date(this.#now()) };
      const verified = await jwtVerify(token, client.verifying, options).catch(() => undefined);
      if (verified === undefined) continue;
      if (verified.protectedHeader.typ !== typ) throw new NotAnAccessToken();
      return this.#grants.get(String(verified.payload['session_id']));
    }
    throw new NoToken();
  }

  async userinfo(token: string): Promise<object | undefined> {
    const grant = await this.#read(token, 'at+jwt');
    return grant !== undefined && this.#lives(grant) ? this.#personal(grant) : undefined;
  }

  async introspect(token: string): Promise<object> {
    const refreshed = this.#refresh.get(token);
    if (refreshed !== undefined) return { active: false, scope: '', jti: refreshed.id };
    const grant = await this.#read(token, 'at+jwt');
    if (grant === undefined || !this.#lives(grant)) return { active: false, scope: '', jti: grant?.id ?? '' };
    const person = this.#store.find(grant.person);
    const { exp, iat, nbf, sub, aud, iss, jti } = this.#common(grant);
    const scope = [...grant.scopes].sort().join(' ');
    const username = person === undefined ? '' : this.#store.spn(person);
    const who = { active: true, scope, client_id: grant.client.name, username, token_type: 'Bearer' };
    return { ...who, exp, iat, nbf, sub, aud, iss, jti };
  }

  async revoke(token: string): Promise<void> {
    const grant = this.#refresh.get(token) ?? (await this.#read(token, 'at+jwt'));
    if (grant !== undefined) grant.ended = true;
  }
}

/** An ID token in the place of an access token. */
export class NotAnAccessToken extends Error {}
export class NoToken extends Error {}

function consentKey({ name }: Client, person: string, scopes: readonly string[]): string {
  return [name, person, ...[...scopes].sort()].join(' ');
}
