import type { OAuthClient } from '../configuration/oauth-clients.ts';
import type { ProviderName } from '../ports/directory.ts';

export interface StartDeps {
  readonly publicUrl: string;
  /** Where users go. */
  readonly provider: ProviderName | null;
  readonly clients: readonly Pick<OAuthClient, 'provider'>[];
}

export interface Start {
  /** The slug of the tenant. */
  readonly tenant: string;
  /** What is typed at the provider's sign-in page. */
  readonly login_hint?: string;
  /** The user who alone may complete it. */
  readonly invited?: string;
  /** A local path. */
  readonly return_to?: string;
}

/** Where sign-in by the provider begins for a person; null where there is none. */
export function startUrl(start: Start, { publicUrl, provider, clients }: StartDeps): string | null {
  if (provider === null || !clients.some((client) => client.provider === provider)) return null;
  const url = new URL('/api/v1/auth/oauth/authorize', publicUrl);
  url.searchParams.set('provider', provider);
  for (const [name, value] of Object.entries<string>({ ...start })) url.searchParams.set(name, value);
  return url.href;
}
