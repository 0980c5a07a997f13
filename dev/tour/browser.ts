import type { DoorProvider } from '../doors.ts';
import type { Places, SignInStep } from './step.ts';

const AUTHORIZE = '/api/v1/auth/oauth/authorize';
/** More than a sign-in takes: a loop ends here. */
const MOST_REDIRECTS = 10;

/** Forms of the providers' sign-in pages: the field of the name, and where they go; null: to the page itself. */
const FORMS: Readonly<Record<DoorProvider, { readonly field: string; readonly path: string | null }>> = {
  kanidm: { field: 'username', path: '/ui/login/pw' },
  zitadel: { field: 'name', path: null },
};

/** Where a browser begins. */
export function startUrl({ signIn }: SignInStep, { gateway }: Pick<Places, 'gateway'>, hint = false): string {
  const { provider, returnTo, name } = signIn;
  const query = `provider=${provider}&return_to=${returnTo}${hint ? `&login_hint=${name}` : ''}`;
  return `${gateway}${AUTHORIZE}?${query}`;
}

/** What a person fills in. */
export function formOf({ signIn }: SignInStep): Readonly<Record<string, string>> {
  return { [FORMS[signIn.provider].field]: signIn.name, password: signIn.password };
}

/** Where the form goes; null: to the page that it stands on. */
export function formUrl({ signIn: { provider } }: SignInStep, places: Places): string | null {
  const { path } = FORMS[provider];
  return path === null ? null : places[provider] + path;
}

/** Takes the way of a browser: to the provider, through its page, back by the callback. The last answer. */
export async function signInByProvider(step: SignInStep, places: Places): Promise<Response> {
  const go = browser();
  const page = await go(startUrl(step, places));
  const { answer } = await go(formUrl(step, places) ?? page.url, new URLSearchParams(formOf(step)));
  return answer;
}

interface Visited {
  readonly url: string;
  readonly answer: Response;
}

/**
 * Keeps cookies and follows redirects. As in every browser, cookies of a host count for all of its ports.
 * `around`: is called with each request that is made.
 */
export function browser(
  around: (url: string, request: () => Promise<Response>) => Promise<Response> = (_url, request) => request(),
): (url: string, form?: URLSearchParams) => Promise<Visited> {
  const jar = new Map<string, string>();
  const send = async (url: string, form?: URLSearchParams): Promise<Response> => {
    const answer = await around(url, () =>
      fetch(url, {
        redirect: 'manual',
        headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
        ...(form !== undefined && { method: 'POST', body: form }),
      }),
    );
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/;\s*max-age=0(?:;|$)/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  };
  return async (start, form) => {
    let [url, answer] = [start, await send(start, form)];
    for (let left = MOST_REDIRECTS; left > 0 && answer.status === 303; left -= 1) {
      url = new URL(answer.headers.get('location') ?? '', url).href;
      answer = await send(url);
    }
    return { url, answer };
  };
}
