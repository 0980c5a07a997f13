import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import type Provider from 'oidc-provider';
import { AUDIENCE, GATEWAY_CLIENT_ID } from './configuration.ts';
import { PAT_SCOPE } from './mint.ts';

/** Zitadel's id of the organisation that the demo's users are in. */
const ORGANIZATION = '350000000000000002';

/** RFC 7662 as Zitadel answers it. The provider's own endpoint takes whatever begins as a JOSE header does for a signed token, and refuses it. */
export async function introspect(c: Context, provider: Provider, secret: string): Promise<Response> {
  const form = new URLSearchParams(await c.req.text());
  const client = clientOf(c.req.header('authorization'), form);
  if (client === undefined) return invalid(c, 'client_id or client_assertion must be provided');
  if (client !== `${GATEWAY_CLIENT_ID}:${secret}`) return c.json({ error: 'unauthorized_client' }, 400);
  const text = form.get('token') ?? '';
  if (text === '') return invalid(c, 'token missing');
  const token = await provider.AccessToken.find(text);
  return c.json(token?.isValid === true ? answerOf(token, provider.issuer) : { active: false });
}

function invalid(c: Context, description: string): Response {
  return c.json({ error: 'invalid_request', error_description: description }, 400);
}

/** `id:secret`, from the header or from the form. */
function clientOf(authorization: string | undefined, form: URLSearchParams): string | undefined {
  const [, basic] = /^Basic ([\w+/=-]+)$/i.exec(authorization ?? '') ?? [];
  if (basic !== undefined) return Buffer.from(basic, 'base64').toString();
  const [id, secret] = [form.get('client_id'), form.get('client_secret')];
  return id === null ? undefined : `${id}:${secret ?? ''}`;
}

type AccessToken = InstanceType<Provider['AccessToken']>;

function answerOf(token: AccessToken, iss: string): Record<string, unknown> {
  const { accountId: sub, clientId, iat, exp, scope = '', aud } = token;
  const number = numberOf(token.jti);
  const common = { active: true, token_type: 'Bearer', iss, sub, username: sub, preferred_username: sub };
  const times = { iat, nbf: iat, exp, scope };
  if (!scope.split(' ').includes(PAT_SCOPE))
    return { ...common, ...times, client_id: clientId, aud: [aud].flat(), jti: `V2_${number}-at_${number}` };
  // No client made it; its audience is whoever asks, and the project of whoever asks.
  const audience = [GATEWAY_CLIENT_ID, AUDIENCE];
  return {
    ...common,
    ...times,
    aud: audience,
    jti: number,
    'urn:zitadel:iam:user:resourceowner:id': ORGANIZATION,
  };
}

/** Of 18 digits, as Zitadel's are. */
function numberOf(text: string): string {
  return (createHash('sha256').update(text).digest().readBigUInt64BE() % 10n ** 17n)
    .toString()
    .padStart(18, '4');
}
