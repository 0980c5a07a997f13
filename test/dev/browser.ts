export interface Visited {
  readonly status: number;
  /** Empty where there is none. */
  readonly location: string;
  readonly page: string;
}

/** A browser at one origin: it keeps cookies, posts forms and follows no redirect. */
export function formBrowser(
  origin: string,
): (path: string, form?: Readonly<Record<string, string>>) => Promise<Visited> {
  const jar = new Map<string, string>();
  return async (path, form) => {
    const answer = await fetch(new URL(path, origin), {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      jar.set(name, value);
    }
    return {
      status: answer.status,
      location: answer.headers.get('location') ?? '',
      page: await answer.text(),
    };
  };
}
