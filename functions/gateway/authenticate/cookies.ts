import ipaddr from 'ipaddr.js';
import type { SessionsConfig } from '../../../shared/configuration/sessions.ts';
import { Refusal } from '../../../shared/errors.ts';
import {
  cookieNames,
  endedCookies,
  isOwnSite,
  readCookie,
  sessionCookies,
} from '../../../shared/sessions/cookies.ts';
import type { Origin, Refreshed } from '../../../shared/sessions/refresh.ts';
import type { MaybePromise } from '../../../shared/ports/runtime.ts';
import type { Presented } from './places.ts';
import type { Principal } from './principal.ts';
import { expiredToken, invalidRefresh, invalidToken, isExpired } from './token.ts';

/** A request whose session may be renewed. */
export interface Renewable extends Presented {
  readonly id: string;
  readonly address: string;
  readonly read: Presented['read'] & {
    /** Names and values in turn. */
    readonly onward: readonly string[];
  };
}

export interface Renewing {
  /** Takes Set-Cookie values for the answer, whatever that will be; calls `given` once it has begun, or will not. */
  renewed(cookies: readonly string[], given: () => void): void;
}

/** The tokens of a browser's session. */
export interface Held {
  readonly access: string | undefined;
  readonly refresh: string | undefined;
}

export interface SessionCookies {
  /** Undefined without any. Throws Refusal `cross_site` where a page of another site may have caused the request. */
  of(request: Renewable): Held | undefined;
  /**
   * The principal of a session, by its access token, or by a new one where that ran out: then `answer` gets the cookies of the new
   * tokens, or those that remove the old ones. Throws or rejects as `verify`, as `Database`, and with Refusal `invalid_refresh`.
   */
  principal(held: Held, asking: Asking, verify: VerifyAccess): MaybePromise<Principal>;
}

export interface Asking {
  readonly request: Renewable;
  /** Absent where nothing sets cookies: no renewal then. */
  readonly answer: Renewing | undefined;
}

type VerifyAccess = (token: string) => MaybePromise<Principal>;

export interface SessionCookiesDeps {
  readonly config: SessionsConfig;
  readonly allowedOrigins: readonly string[];
  readonly refresh: (token: string, origin: Origin) => Promise<Refreshed>;
  /** Whether requests may wait for one rotation: not on Workers. */
  readonly joinsRequests: boolean;
  /** Called before a rotation; throws to refuse. */
  readonly beforeRenewal: (address: string) => void;
}

export function createSessionCookies(deps: SessionCookiesDeps): SessionCookies {
  const { config, allowedOrigins, joinsRequests } = deps;
  const names = cookieNames(config);
  const own = { publicUrl: config.publicUrl, allowedOrigins };
  const underWay = new Map<string, Promise<Refreshed>>();
  const unanswered = new Unanswered();
  const rotate = (token: string, request: Renewable): MaybePromise<Refreshed> => {
    const running = unanswered.of(token) ?? underWay.get(token);
    if (running !== undefined) return running;
    const started = deps.refresh(token, originOf(request)).finally(() => underWay.delete(token));
    if (joinsRequests) underWay.set(token, started);
    return started;
  };
  const renewed = async (
    refresh: string | undefined,
    { request, answer }: Asking,
    verify: VerifyAccess,
  ): Promise<Principal> => {
    if (refresh === undefined || answer === undefined) throw expiredToken();
    deps.beforeRenewal(request.address);
    const rotated = await rotate(refresh, request);
    if (!rotated.ok) {
      answer.renewed(endedCookies(config), () => undefined);
      throw invalidRefresh(rotated.why);
    }
    answer.renewed(sessionCookies(rotated.pair, config), unanswered.add(refresh, rotated));
    return ofSession(await verify(rotated.pair.access));
  };
  return {
    of(request) {
      const { cookie } = request.read;
      if (cookie?.includes(names.access) !== true) return undefined;
      const held = { access: readCookie(cookie, names.access), refresh: readCookie(cookie, names.refresh) };
      if (held.access === undefined && held.refresh === undefined) return undefined;
      if (!isOwnSite(siteOf(request), own)) throw crossSite();
      return held;
    },
    principal({ access, refresh }, asking, verify) {
      if (access === undefined) return renewed(refresh, asking, verify);
      const principal = verify(access);
      if (!(principal instanceof Promise)) return ofSession(principal);
      return principal.then(ofSession, (error: unknown) => {
        if (isExpired(error)) return renewed(refresh, asking, verify);
        throw error;
      });
    },
  };
}

/**
 * Rotations whose answers have not begun: while an upstream takes its time, further requests of the page still bring the
 * former token, which would end the session.
 */
class Unanswered {
  readonly #rotations = new Map<string, { readonly rotated: Refreshed; answers: number }>();

  of(token: string): Refreshed | undefined {
    return this.#rotations.get(token)?.rotated;
  }

  /** For one more answer; to be called when it has begun. */
  add(token: string, rotated: Refreshed): () => void {
    const known = this.#rotations.get(token) ?? { rotated, answers: 0 };
    this.#rotations.set(token, known);
    known.answers += 1;
    return () => {
      known.answers -= 1;
      if (known.answers === 0) this.#rotations.delete(token);
    };
  }
}

/** Tokens of other issuers are no sessions: a cookie is no place for them. */
function ofSession(principal: Principal): Principal {
  if (principal.session === undefined) throw invalidToken('no session token in a session cookie');
  return principal;
}

function siteOf({ method, read }: Renewable) {
  const { fetchSite: site, origin } = read;
  return { method: isHandshake(read) ? HANDSHAKE : method, site, origin };
}

/** RFC 6455 §10.2: any page may open a WebSocket to any host, so its GET is not taken for one that changes nothing. */
const HANDSHAKE = 'UPGRADE';

/** A proxy that asks for a decision alone may leave out Upgrade, which is hop-by-hop. */
function isHandshake({ upgrade, onward }: Renewable['read']): boolean {
  return upgrade === 'websocket' || fieldIn(onward, 'sec-websocket-key') !== undefined;
}

function fieldIn(list: readonly string[], lower: string): string | undefined {
  for (let i = 0; i + 1 < list.length; i += 2) if (list[i]?.toLowerCase() === lower) return list[i + 1];
  return undefined;
}

function originOf({ id, address, read }: Renewable): Origin {
  const isAddress = ipaddr.isValid(address) && !address.includes('%');
  return {
    address: isAddress ? address : null,
    userAgent: fieldIn(read.onward, 'user-agent') ?? null,
    requestId: id,
  };
}

function crossSite(): Refusal {
  return new Refusal(
    'cross_site',
    'a session cookie on a request that a page of another site may have caused',
  );
}
