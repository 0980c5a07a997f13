import type { Exchange } from '../../ports/runtime.ts';
import type { ZitadelApi, ZitadelRefusal } from '../../ports/zitadel-api.ts';
import { providerCaller, reasonOf, type ProviderAnswer } from '../provider-call.ts';
import { problemIn } from './client.ts';

/** Refusals are written in the instance's language otherwise, and what says that nothing changes is known by its words alone. */
const ENGLISH = { 'accept-language': 'en' };

/** `url`: base of Zitadel's API. `token`: of a service account. */
export function openZitadelApi(
  { url, token }: { readonly url: string; readonly token: string },
  exchange: Exchange,
): ZitadelApi {
  const caller = providerCaller(exchange, url, token);
  return async ({ organization, ...call }) => {
    const answer = await caller({
      ...call,
      headers: { ...ENGLISH, ...(organization !== undefined && { 'x-zitadel-orgid': organization }) },
    });
    if (answer.outcome !== 'answered') return answer;
    if (answer.status === 200 || answer.status === 201) return { outcome: 'ok', body: answer.body };
    return refusalOf(answer);
  };
}

/** Routes that a release lacks are 404 or 405 without an id, methods that it does not carry out 501. */
function refusalOf({ status, body }: ProviderAnswer): ZitadelRefusal {
  const problem = problemIn(body);
  const id = problem?.id ?? '';
  return {
    outcome: 'refused',
    ...{ status, id },
    reason: reasonOf(status, problem?.message ?? body),
    unknownRoute: status === 501 || ((status === 404 || status === 405) && id === ''),
  };
}
