import type { Config } from '../../shared/config.ts';
import { Refusal } from '../../shared/errors.ts';
import type { Clock } from '../../shared/ports.ts';
import { prove, type Proof } from '../../shared/proof.ts';
import { readBody } from './body.ts';
import { isSignedBy, parseSignature, sameSecret, type Signature } from './signature.ts';

/** Seconds between `t` and our clock, either way: what is older may be a replay, what is newer was not signed now. */
export const TOLERANCE_S = 300;

/** A body whose sender has proved one of the secrets. Only verify() makes one. */
export type VerifiedBody = Proof<Uint8Array, 'signed'>;

const verified = prove<'signed'>();

export interface VerifyDeps {
  readonly webhooks: Pick<Config['webhooks'], 'signingKeys' | 'sharedSecret'>;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}

/** A signature in the header decides, whatever else was sent; a shared secret counts only where scripts may send one. */
export type Accepts = 'signature' | 'signature or shared secret';

/** Throws Refusal `invalid_signature`, or `body_too_large`. Nothing is configured: nothing is accepted. */
export async function verify(request: Request, accepts: Accepts, deps: VerifyDeps): Promise<VerifiedBody> {
  const header = request.headers.get('zitadel-signature');
  if (header !== null) return verifySignature(request, header, deps);
  const secret = request.headers.get('x-webhook-secret');
  if (secret === null || accepts === 'signature') throw unsigned('no ZITADEL-Signature');
  const { sharedSecret } = deps.webhooks;
  if (sharedSecret === null) throw unsigned('WEBHOOK_SHARED_SECRET is not set');
  if (!sameSecret(secret, sharedSecret)) throw unsigned('wrong X-Webhook-Secret');
  return verified(await readBody(request, deps.maxBodyBytes));
}

async function verifySignature(
  request: Request,
  header: string,
  { webhooks, maxBodyBytes, clock }: VerifyDeps,
): Promise<VerifiedBody> {
  if (webhooks.signingKeys.length === 0) throw unsigned('WEBHOOK_SIGNING_KEYS is not set');
  const signature = parseSignature(header);
  if (signature === undefined) throw unsigned('malformed ZITADEL-Signature');
  checkTime(signature, clock);
  const body = await readBody(request, maxBodyBytes);
  if (!isSignedBy(webhooks.signingKeys, signature, body)) throw unsigned('no key fits the signature');
  return verified(body);
}

function checkTime({ time }: Signature, clock: Clock): void {
  const ageSeconds = Math.floor(clock.now() / 1000) - Number(time);
  if (ageSeconds > TOLERANCE_S) throw unsigned('the signature is too old');
  if (ageSeconds < -TOLERANCE_S) throw unsigned('the signature is of the future');
}

export function unsigned(reason: string): Refusal {
  return new Refusal('invalid_signature', reason);
}
