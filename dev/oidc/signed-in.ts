import { randomUUID } from 'node:crypto';
import { importJWK, SignJWT, type JWK } from 'jose';
import type Provider from 'oidc-provider';
import type { WebClient } from './directory.ts';

interface SignedIn {
  readonly sub: string;
  readonly sid: string;
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const LIFE = '2m';

/** Who signed in at a client, so that it gets a logout token when they sign out (OpenID Connect Back-Channel Logout 1.0 §2.4). */
export class SignedInPeople {
  readonly #issuer: string;
  readonly #client: WebClient;
  readonly #key: JWK;
  readonly #sessions: SignedIn[] = [];

  constructor(provider: Provider, client: WebClient, key: JWK) {
    this.#issuer = provider.issuer;
    this.#client = client;
    this.#key = key;
    provider.on('grant.success', ({ oidc: { client: by, entities } }) => {
      const { accountId: sub, sid } = entities.AuthorizationCode ?? {};
      if (by?.clientId === client.id && sub !== undefined && sid !== undefined)
        this.#sessions.push({ sub, sid });
    });
  }

  /** Sends a logout token for each session of a person; resolves to how many were accepted. */
  async signOut(sub: string): Promise<number> {
    const { backchannelLogoutUri: uri } = this.#client;
    if (uri === undefined) return 0;
    let accepted = 0;
    for (const session of this.#sessions.filter((each) => each.sub === sub)) {
      this.#sessions.splice(this.#sessions.indexOf(session), 1);
      const body = new URLSearchParams({ logout_token: await this.#token(session) });
      const answer = await fetch(uri, { method: 'POST', body, redirect: 'manual' }).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.status === 200 || answer?.status === 204) accepted += 1;
    }
    return accepted;
  }

  async #token({ sub, sid }: SignedIn): Promise<string> {
    const { alg = 'RS256', kid = '' } = this.#key;
    return new SignJWT({ sid, events: { [EVENT]: {} } })
      .setProtectedHeader({ alg, kid, typ: 'logout+jwt' })
      .setIssuer(this.#issuer)
      .setAudience(this.#client.id)
      .setSubject(sub)
      .setIssuedAt()
      .setExpirationTime(LIFE)
      .setJti(randomUUID())
      .sign(await importJWK(this.#key, alg));
  }
}
