import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { PAGE_CLIENT_ID, RESOURCE } from './configuration.ts';

const MAX_PENDING = 100;

const TokenAnswer = z.object({ access_token: z.string() });

/** The demo page as an OpenID client: authorization code with PKCE (RFC 7636), kept on the server so that no script is needed. */
export class SignIn {
  readonly #verifiers = new Map<string, string>();
  readonly #issuer: string;

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  /** Where to send the browser; `state` goes into its cookie too. */
  start(): { readonly state: string; readonly location: string } {
    const state = randomBytes(16).toString('base64url');
    const verifier = randomBytes(32).toString('base64url');
    this.#remember(state, verifier);
    const query = new URLSearchParams({
      client_id: PAGE_CLIENT_ID,
      response_type: 'code',
      redirect_uri: this.#redirectUri,
      scope: 'openid profile',
      resource: RESOURCE,
      prompt: 'login',
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    return { state, location: `/oauth/v2/authorize?${query.toString()}` };
  }

  /** The access token, or undefined when the state is not ours or the code is not good. */
  async finish(state: string, code: string): Promise<string | undefined> {
    const verifier = this.#verifiers.get(state);
    this.#verifiers.delete(state);
    if (verifier === undefined) return undefined;
    const answer = await fetch(`${this.#issuer}/oauth/v2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: PAGE_CLIENT_ID,
        redirect_uri: this.#redirectUri,
        code,
        code_verifier: verifier,
      }),
    });
    return answer.ok ? TokenAnswer.parse(await answer.json()).access_token : undefined;
  }

  get #redirectUri(): string {
    return `${this.#issuer}/callback`;
  }

  #remember(state: string, verifier: string): void {
    const oldest = this.#verifiers.keys().next();
    if (this.#verifiers.size >= MAX_PENDING && oldest.done !== true) this.#verifiers.delete(oldest.value);
    this.#verifiers.set(state, verifier);
  }
}
