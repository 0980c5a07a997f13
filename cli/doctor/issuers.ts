import { ISSUERS, type IssuersConfig } from '../../shared/configuration/issuers.ts';
import { issuerVariable } from '../../shared/configuration/names.ts';
import { issuerUrl } from '../../shared/configuration/values.ts';
import { green, NotSetUp, red, Stopped, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { ALLOWED_ALGORITHMS } from '../../shared/keys/algorithms.ts';
import { createDiscovery } from '../../shared/keys/discovery.ts';
import { fetchJson } from '../../shared/keys/fetch-json.ts';
import { KeySet } from '../../shared/keys/key-set.ts';
import { messageOf, Refusal } from '../../shared/errors.ts';
import { CLOCK_TOLERANCE_S } from '../../functions/gateway/authenticate/verify.ts';
import { createIntrospectors } from '../../functions/gateway/authenticate/introspect.ts';
import { environment } from '../terminal.ts';
import { EXCHANGE_MS, isSet, partOf, type DoctorGround } from './ground.ts';

const DISCOVERY = '/.well-known/openid-configuration';

interface NamedUrl {
  readonly variable: string;
  readonly url: string;
}

/** By the variables alone: an issuer whose audience is missing is looked at too. Malformed ones are left to `configuration`. */
export function issuerUrls(): NamedUrl[] {
  return Object.keys(environment).flatMap((variable) => {
    const further = issuerVariable(variable)?.field === 'URL';
    if (!further && variable !== 'ZITADEL_ISSUER_URL' && variable !== 'KANIDM_ISSUER_URL') return [];
    const url = issuerUrl.safeParse(environment[variable]?.trim() ?? '').data;
    return url === undefined ? [] : [{ variable, url }];
  });
}

function each(look: (issuer: NamedUrl) => Promise<Finding>): Promise<Finding> {
  const issuers = issuerUrls();
  if (issuers.length === 0) throw new NotSetUp('no issuer is configured', 'set ZITADEL_ISSUER_URL');
  return Promise.all(
    issuers.map((issuer) => look(issuer).catch((error: unknown) => unread(issuer, error))),
  ).then((found) => worst(found, ''));
}

/** A provider that is away, or no provider. */
function unread({ variable, url }: NamedUrl, error: unknown): Finding {
  const why =
    error instanceof Error && error.name === 'TimeoutError' ? 'no answer in time' : messageOf(error);
  return red(
    why.includes(url) ? why : `${url}: ${why}`,
    `let ${variable} lead to a provider that answers here`,
  );
}

function discoveryOf(url: string, { platform, ...ground }: DoctorGround) {
  const { fetch, background } = platform;
  return createDiscovery(url, { ...ground, fetch, background, timeoutMs: EXCHANGE_MS });
}

/** OpenID Connect Discovery 1.0 §4.3: byte for byte. */
export function issuerDiscovery(ground: DoctorGround): Promise<Finding> {
  return each(async ({ variable, url }) => {
    const { platform } = ground;
    const document = `${url.replace(/\/$/, '')}${DISCOVERY}`;
    const json = await fetchJson(platform.fetch, document, { timeoutMs: EXCHANGE_MS });
    const named = typeof json === 'object' && json !== null && 'issuer' in json ? json.issuer : undefined;
    if (typeof named === 'string' && named !== url) {
      const shown = /^https?:[!-~]{1,200}$/.test(named) ? named : 'another text';
      return red(
        `${variable} is ${url}, and the provider names itself ${shown}: every JWT is refused (JWT validation failed)`,
        `write ${variable}=${shown}, if it is the provider that you mean`,
      );
    }
    await discoveryOf(url, ground).metadata();
    return green(`${url} names itself so`);
  });
}

export function keys(ground: DoctorGround): Promise<Finding> {
  return each(async ({ url }) => {
    const { jwksUri } = await discoveryOf(url, ground).metadata();
    const set = await KeySet.parse(
      await fetchJson(ground.platform.fetch, jwksUri, { timeoutMs: EXCHANGE_MS }),
      undefined,
    );
    const usable = ALLOWED_ALGORITHMS.reduce((sum, alg) => sum + set.candidates(undefined, alg).length, 0);
    const refused = set.refused.map(({ kid = '', reason }) => `key ${kid} ${reason}`).join(', ');
    if (usable === 0)
      return red(`${jwksUri} has no key that may verify a signature${refused && `: ${refused}`}`);
    if (refused !== '') return yellow(`${jwksUri}: ${refused}`, 'the provider should publish another key');
    return green(`${url} has keys`);
  });
}

/** Above it the gateway judges `exp` and `nbf` wrongly. */
const BAD_S = CLOCK_TOLERANCE_S;
const GOOD_S = 2;

/** By the Date field of an answer (RFC 9110 §6.6.1), which has whole seconds. */
export function clockSkew({ platform, clock }: DoctorGround): Promise<Finding> {
  return each(async ({ url }) => {
    const before = clock.now();
    const { headers } = await platform.exchange({
      method: 'GET',
      url: `${url.replace(/\/$/, '')}${DISCOVERY}`,
      headers: { accept: 'application/json' },
      timeoutMs: EXCHANGE_MS,
    });
    const after = clock.now();
    const theirs = Date.parse(typeof headers['date'] === 'string' ? headers['date'] : '');
    if (Number.isNaN(theirs)) return yellow(`${url} sends no Date field, so its clock cannot be compared`);
    // Their second has begun between the two readings of this clock, or up to a second before.
    const skew = Math.max(0, before - (theirs + 1_000), theirs - after) / 1_000;
    const cause = `the clock of ${url} is ${skew.toFixed(0)} s ${theirs > after ? 'ahead of' : 'behind'} this one`;
    if (skew > BAD_S) return red(`${cause}; more than ${BAD_S} s makes tokens invalid`);
    return skew > GOOD_S ? yellow(cause) : green(`the clocks of ${url} and of this machine agree`);
  });
}

/** No provider has issued it. */
const INVENTED = 'sallyport-doctor';

/** Throws as `partOf`, but Stopped, which is yellow, where a client is set up and what is missing is something else. */
function introspecting(): IssuersConfig['introspection'] {
  try {
    return partOf(ISSUERS).introspection;
  } catch (error) {
    const isClient = (name: string): boolean =>
      name === 'ZITADEL_CLIENT_SECRET' || issuerVariable(name)?.field === 'CLIENT_SECRET';
    const isSetUp = Object.keys(environment).some(
      (name) => isClient(name) && isSet(name) && isSet(name.replace(/SECRET$/, 'ID')),
    );
    if (!(error instanceof NotSetUp) || !isSetUp) throw error;
    throw new Stopped(yellow(`not known: ${error.message}`, 'sallyport doctor --only configuration'));
  }
}

export function introspection(ground: DoctorGround): Promise<Finding> {
  const configs = introspecting();
  if (configs.length === 0)
    throw new NotSetUp(
      'no client that introspects is configured',
      isSet('ZITADEL_ISSUER_URL') ? 'set ZITADEL_CLIENT_ID and ZITADEL_CLIENT_SECRET' : '',
    );
  const deps = {
    ...ground,
    fetch: ground.platform.fetch,
    background: ground.platform.background,
    timeoutMs: EXCHANGE_MS,
  };
  return Promise.all(
    configs.map(async (config): Promise<Finding> => {
      const { url, name } = config.issuer;
      const verify = createIntrospectors([[config, discoveryOf(url, ground)]], deps);
      try {
        const verdict = await verify?.(INVENTED, '');
        const refused = verdict !== undefined && 'refusal' in verdict;
        return refused
          ? green(`${url} takes the client and calls an invented token inactive`)
          : red(`${url} calls an invented token active`, 'do not use this provider');
      } catch (error) {
        const reason = error instanceof Refusal ? error.reason : messageOf(error);
        // Of discovery such a status says nothing of the client.
        if (reason.includes(DISCOVERY)) return red(reason, 'sallyport doctor --only issuer-discovery');
        const client = /status 40[0-3]/.test(reason);
        const variables =
          name === 'zitadel' ? 'ZITADEL_CLIENT_ID and ZITADEL_CLIENT_SECRET' : `the client of ${name}`;
        return client
          ? red(
              `${reason}: ${variables} are not those of an application of this provider`,
              'make a new client secret and set it; `sallyport zitadel setup --dry-run` shows the application',
            )
          : red(reason);
      }
    }),
  ).then((found) => worst(found, ''));
}
