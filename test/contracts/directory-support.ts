import { openKanidmDirectory } from '../../shared/adapters/kanidm/directory.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openZitadelDirectory } from '../../shared/adapters/zitadel/directory.ts';
import type { DirectoryConfig } from '../../shared/configuration/providers.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import type { Clock, Exchange } from '../../shared/ports/runtime.ts';
import { webRandom } from '../../shared/runtime.ts';

export interface OpenOptions {
  readonly exchange?: Exchange;
  readonly clock?: Clock;
}

export function openDirectory(
  config: DirectoryConfig,
  { exchange = undiciExchange, clock = Date }: OpenOptions = {},
): Directory {
  return config.provider === 'kanidm'
    ? openKanidmDirectory(config, { exchange, clock, random: webRandom() })
    : openZitadelDirectory(config, { exchange, clock });
}

/** The same, with tokens that no provider accepts. */
export function withoutRights(config: DirectoryConfig): DirectoryConfig {
  const token = 'eyJhbGciOiJub25lIn0.eyJub3QiOiJhIHRva2VuIn0.x';
  return config.provider === 'kanidm' && config.syncToken !== null
    ? { ...config, token, syncToken: token }
    : { ...config, token };
}

/** Kanidm's own sign-in by name and password. */
export async function signsInAtKanidm(url: string, name: string, password: string): Promise<boolean> {
  const session = 'x-kanidm-auth-session-id';
  const step = async (body: object, id?: string): Promise<{ id: string; state: Record<string, unknown> }> => {
    const answer = await fetch(`${url}/v1/auth`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(id && { [session]: id }) },
      body: JSON.stringify({ step: body }),
    });
    const { state = {} } = (await answer.json()) as { state?: Record<string, unknown> };
    return { id: answer.headers.get(session) ?? id ?? '', state };
  };
  const { id, state } = await step({ init2: { username: name, issue: 'token', privileged: false } });
  if (!('choose' in state)) return false;
  await step({ begin: 'password' }, id);
  return 'success' in (await step({ cred: { password } }, id)).state;
}

/** By Zitadel's session API, which its own sign-in page is made of. */
export async function signsInAtZitadel(
  { url, token }: { readonly url: string; readonly token: string },
  userId: string,
  password: string,
): Promise<boolean> {
  const answer = await fetch(`${url}/v2/sessions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ checks: { user: { userId }, password: { password } } }),
  });
  await answer.body?.cancel();
  return answer.status === 201;
}
