import { green, red, yellow, type Finding } from '../../shared/checks/check.ts';
import { loginV2Of } from '../../shared/zitadel/instance.ts';
import type { ZitadelReader } from '../../shared/zitadel/reader.ts';
import { EXCHANGE_MS, whyUnreached, type DoctorGround } from './ground.ts';
import { serviceAccount, unlessUnread } from './zitadel.ts';

/** The pages of Login v2, where the instance sends people to them. */
export function loginV2(ground: DoctorGround): Promise<Finding> {
  const api = serviceAccount();
  return unlessUnread(look(api, ground));
}

async function look(api: ZitadelReader, ground: DoctorGround): Promise<Finding> {
  const { required, baseUri } = await loginV2Of(api);
  if (!required) return green('people sign in at the pages within Zitadel: Login v2 is not required');
  const named = baseUri !== '';
  const page = named ? baseUri : `${api.url}/ui/v2/login`;
  try {
    return judged(await statusBehind(page, ground), page, named);
  } catch (error) {
    const code = whyUnreached(error);
    const next = 'start the pages of Login v2, or run the doctor in their network';
    return named
      ? yellow(`Login v2 cannot be reached from here at ${page}: ${code}`, next)
      : red(`${page}: ${code}`, next);
  }
}

function judged(status: number, page: string, named: boolean): Finding {
  if (status === 404)
    return red(
      `Login v2 is required${named ? '' : ' and has no base URI'}, and nothing answers at ${page}`,
      'deploy its pages there, or set their address: sallyport zitadel setup',
    );
  if (status === 500)
    return red(
      `Login v2 answers 500 at ${page}: its login client has no valid token (Errors.Token.Invalid (AUTH-7fs1e) in its log)`,
      'make a token for the login client, which needs IAM_LOGIN_CLIENT, and restart its pages: sallyport zitadel setup',
    );
  if (status > 500)
    return red(
      `Login v2 answers ${status} at ${page}: its pages are away`,
      'start the pages of Login v2, and look at their log',
    );
  return green(`Login v2 answers at ${page}`);
}

/** The first page leads on to the one that asks Zitadel. */
const MOST_HOPS = 3;

/** Of a page, or of what it leads to on the same host. */
async function statusBehind(page: string, { platform }: DoctorGround): Promise<number> {
  let at = new URL(page);
  for (let hop = 0; ; hop++) {
    const call = { method: 'GET', url: at.href, headers: { accept: 'text/html' }, timeoutMs: EXCHANGE_MS };
    const { status, headers } = await platform.exchange(call);
    const to = headers['location'];
    const isMoved = status > 299 && status < 400 && typeof to === 'string' && URL.canParse(to, at.href);
    const next = isMoved ? new URL(to, at) : undefined;
    if (next?.origin !== at.origin || hop === MOST_HOPS) return status;
    at = next;
  }
}
