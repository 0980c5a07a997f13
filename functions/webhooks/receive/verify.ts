import { sameSecret } from '../../../shared/edge/secrets.ts';
import { unsigned, zitadelSigned } from '../../../shared/edge/zitadel-signature.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import type { SignersConfig } from '../slice.ts';
import { prove, type Proof } from '../../../shared/proof.ts';

/** A body whose sender proved possession of a secret. Only verify() makes one. */
export type VerifiedBody = Proof<Uint8Array, 'signed'>;

const verified = prove<'signed'>();

export interface VerifyDeps {
  readonly webhooks: SignersConfig['webhooks'];
  readonly clock: Clock;
}

/** A delivery as received: its body is read only when needed. */
export interface Sent {
  readonly headers: Headers;
  /** Throws as readBody(). */
  readonly body: () => Promise<Uint8Array>;
}

/** A signature header decides, whatever else was sent; a shared secret counts only on script routes. */
export type Accepts = 'signature' | 'signature or shared secret';

/** Throws Refusal `invalid_signature`, and as readBody(). Without configured secrets every delivery is refused. */
export async function verify(sent: Sent, accepts: Accepts, deps: VerifyDeps): Promise<VerifiedBody> {
  const header = sent.headers.get('zitadel-signature');
  if (header !== null)
    return verified(await zitadelSigned(header, sent.body, deps.webhooks.signingKeys, deps.clock));
  const secret = sent.headers.get('x-webhook-secret');
  if (secret === null || accepts === 'signature') throw unsigned('no ZITADEL-Signature');
  const { sharedSecret } = deps.webhooks;
  if (sharedSecret === null) throw unsigned('WEBHOOK_SHARED_SECRET is not set');
  if (!sameSecret(secret, sharedSecret)) throw unsigned('wrong X-Webhook-Secret');
  return verified(await sent.body());
}
