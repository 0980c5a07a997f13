import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { compileRules, targetsNamedIn } from '../../functions/gateway/match/rules/compile.ts';
import { httpBase } from '../../shared/configuration/values.ts';
import { publicUrl } from '../../shared/configuration/sessions.ts';
import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { readRules } from '../rules/source.ts';
import { environment } from '../terminal.ts';
import { EXCHANGE_MS, isSet, type DoctorGround } from './ground.ts';

export type Reach = 'this machine' | 'a private network' | 'everywhere';

/** From where a host can be reached, by its addresses; a name that cannot be looked up counts as private. */
export async function reachOf(host: string): Promise<Reach> {
  const bare = host.replace(/^\[|\]$/g, '');
  const addresses =
    isIP(bare) === 0 ? await lookup(bare, { all: true }).catch(() => []) : [{ address: bare }];
  const ranges = addresses.map(({ address }) => ipaddr.process(address).range());
  if (ranges.some((range) => range === 'unicast')) return 'everywhere';
  return ranges.length > 0 && ranges.every((range) => range === 'loopback')
    ? 'this machine'
    : 'a private network';
}

/** Rules that lead strangers to management, an OpenFGA that asks nobody who it is, and the same through the own address. */
export async function networkExposure(ground: DoctorGround): Promise<Finding> {
  if (!isSet('UPSTREAM_URL') && !isSet('OPENFGA_URL'))
    throw new NotSetUp('there is nothing to reach (UPSTREAM_URL, OPENFGA_URL)');
  return worst(
    [await byRules(), ...(await Promise.all([openFgaItself(ground), throughTheGate(ground)])).flat()],
    '',
  );
}

const EXPOSING = new Set(['openfga_exposed', 'management_exposed']);

async function byRules(): Promise<Finding> {
  const { name, text } = await readRules(undefined, environment);
  const compiled = compileRules(text, { targets: targetsNamedIn(text) });
  if (!compiled.ok)
    return yellow(`${name} cannot be used, so what it exposes is not known`, 'sallyport rules check');
  const exposed = compiled.warnings.filter(({ code }) => EXPOSING.has(code));
  if (exposed.length === 0) return green('no rule leads strangers to OpenFGA or to management');
  return red(
    exposed.map(({ line, message }) => `${name}:${line}: ${message}`).join('; '),
    'demand a relation in that rule, or remove it: docs/reference/access-rules.md',
  );
}

async function openFgaItself({ platform }: DoctorGround): Promise<Finding[]> {
  const url = httpBase.safeParse(environment['OPENFGA_URL']?.trim() ?? '').data;
  if (url === undefined) return [];
  const status = await statusOf(`${url}/stores?page_size=1`, platform);
  if (status !== 200) return [];
  const reach = await reachOf(new URL(url).hostname);
  const cause = `OpenFGA at ${url} answers without a token: whoever reaches it may grant itself everything`;
  const next =
    'start OpenFGA with --authn-method preshared and set OPENFGA_API_TOKEN, or close its port by a NetworkPolicy';
  if (reach === 'everywhere') return [red(cause, next)];
  return reach === 'this machine'
    ? [green('OpenFGA is reached from this machine alone')]
    : [yellow(cause, next)];
}

/** First segments of interfaces that govern: OpenFGA's and Zitadel's. */
const GOVERNING = ['/stores', '/management/v1/orgs/me', '/admin/v1/instances/me', '/system/v1/instances'];

async function throughTheGate({ platform }: DoctorGround): Promise<Finding[]> {
  const url = publicUrl.safeParse(environment['PUBLIC_URL']?.trim() ?? '').data;
  if (url === undefined) return [];
  const open = await Promise.all(
    GOVERNING.map(async (path) => ((await statusOf(url + path, platform)) === 200 ? [path] : [])),
  );
  const paths = open.flat();
  return paths.length === 0
    ? []
    : [
        red(
          `${url} answers ${paths.join(', ')} to whoever asks`,
          'sallyport rules explain GET ' + (paths[0] ?? ''),
        ),
      ];
}

/** Undefined without an answer. */
async function statusOf(url: string, { exchange }: DoctorGround['platform']): Promise<number | undefined> {
  try {
    return (await exchange({ method: 'GET', url, headers: {}, timeoutMs: EXCHANGE_MS })).status;
  } catch {
    return undefined;
  }
}
