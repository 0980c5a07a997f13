import type { AsCaller, Caller } from '../../shared/edge/caller.ts';
import { toRefusal } from '../../shared/edge/problem.ts';
import type { Renewing } from './authenticate/cookies.ts';
import type { Principal } from './authenticate/principal.ts';
import type { DecideDeps } from './decide.ts';
import { callerOf, limit } from './limit/limit.ts';
import { readHeaders } from './read/headers.ts';

/** As a rule that demands a token and nothing else. */
const RULE = { access: { kind: 'authenticated' }, token: undefined } as const;

/** Own routes take the tokens and cookies that rules take, by the same steps: authenticate, then limit. */
export function asCaller(deps: DecideDeps): AsCaller {
  return async (request, { id, address, setCookies }, answer) => {
    const renewing: Renewing = {
      renewed(cookies, given) {
        setCookies(cookies);
        given();
      },
    };
    const principal = await deps.authenticate(
      RULE,
      presented(request, id, address),
      deps.rules().claimNames,
      renewing,
    );
    if (principal === undefined) throw new Error('a rule that demands a token has a principal');
    const { organization, session, issuedAt } = principal;
    const caller = callerOf(principal, address);
    await limit({ caller, policy: deps.defaultRate, organization, session, issuedAt }, deps);
    return answer(shown(principal));
  };
}

function presented(request: Request, id: string, address: string) {
  const url = new URL(request.url);
  const fields: string[] = [];
  request.headers.forEach((value, name) => fields.push(name, value));
  const { protocol, host, pathname, search } = url;
  return {
    id,
    address,
    method: request.method,
    target: `${pathname}${search}`,
    scheme: protocol.slice(0, -1),
    host,
    read: readHeaders(fields),
  };
}

function shown({ user, subject, issuerName, tenancies }: Principal): Caller {
  return {
    user,
    subject,
    issuer: issuerName,
    tenants() {
      if (tenancies.fault !== undefined) throw toRefusal(tenancies.fault);
      return tenancies.all.map(({ tenant, slug, role }) => ({ tenantId: tenant, slug, role }));
    },
  };
}
