import type { SignInStep, Places } from './step.ts';

const AUTHORIZE = '/api/v1/auth/oauth/authorize';
/** More than a sign-in takes: a loop ends here. */
const MOST_REDIRECTS = 10;

/** Where a browser begins. */
export function startUrl({ signIn }: SignInStep, { gateway }: Places, hint = false): string {
  const { provider, returnTo, name } = signIn;
  const query = `provider=${provider}&return_to=${returnTo}${hint ? `&login_hint=${name}` : ''}`;
  return `${gateway}${AUTHORIZE}?${query}`;
}

/** The form that the sign-in page of the provider sends. */
export function formOf({ signIn }: SignInStep): Readonly<Record<string, string>> {
  return { username: signIn.name, password: signIn.password };
}

export const FORM_PATH = '/ui/login/pw';

/** Takes the way of a browser: to the provider, through its page, back by the callback. The last answer. */
export async function signInByProvider(step: SignInStep, places: Places): Promise<Response> {
  const go = browser();
  await go(startUrl(step, places));
  return go(places[step.signIn.provider] + FORM_PATH, new URLSearchParams(formOf(step)));
}

/** Keeps cookies and follows redirects. As in every browser, cookies of a host count for all of its ports. */
function browser(): (url: string, form?: URLSearchParams) => Promise<Response> {
  const jar = new Map<string, string>();
  const send = async (url: string, form?: URLSearchParams): Promise<Response> => {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form !== undefined && { method: 'POST', body: form }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/;\s*max-age=0(?:;|$)/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  };
  return async (url, form) => {
    let answer = await send(url, form);
    let at = url;
    for (let left = MOST_REDIRECTS; left > 0 && answer.status === 303; left -= 1) {
      at = new URL(answer.headers.get('location') ?? '', at).href;
      answer = await send(at);
    }
    return answer;
  };
}
