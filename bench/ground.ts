import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reservePort } from '../dev/listen.ts';
import { installed, startChild, type Child, type ChildOptions } from './children.ts';
import type { Options } from './options.ts';
import { buildPrograms, type Programs } from './programs.ts';
import { FEATURE, startAuthorization, startIssuer, type Authorization, type Issuer } from './providers.ts';
import { startUpstream, type Upstream } from './servers/upstream.ts';

const TOKENS = 200;

/** The path that the load asks for. */
export const TARGET_PATH = '/api/things';

/** One rule that takes every step: a token, the caller's quota and a relation. */
const RULES = JSON.stringify([{ path: '/api/:name', method: 'GET', feature: FEATURE }]);

export interface Started extends Child {
  readonly port: number;
}

export interface NodeOptions extends ChildOptions {
  readonly flags?: readonly string[];
}

/** What every measurement stands on: one issuer, one OpenFGA stand-in, one upstream, the built programs. */
export interface Ground {
  /** Gone when the bench ends. */
  readonly folder: string;
  readonly programs: Programs;
  readonly issuer: Issuer;
  readonly authorization: Authorization;
  readonly upstream: Upstream;
  readonly tokens: readonly string[];
  /** TARGET_PATH with each of the tokens. */
  readonly requestsFile: string;
  readonly hasWrk: boolean;
  /** Starts a server on a free port; it ends with the ground at the latest. */
  start(launch: (port: number) => Promise<Child>): Promise<Started>;
  startNode(program: string, args: readonly string[], options: NodeOptions): Promise<Child>;
  /** Writes the requests of a load: the n-th token asks for the path of n. */
  readonly writeRequests: (name: string, pathOf: (n: number) => string) => Promise<string>;
  close(): Promise<void>;
}

export async function openGround({ beside }: Pick<Options, 'beside'>): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const [programs, issuer, authorization] = await Promise.all([
    buildPrograms(beside),
    startIssuer(),
    startAuthorization(),
  ]);
  const tokens = await issuer.mint(TOKENS);
  const upstream = await startUpstream(await reservePort(0), folder, programs);
  const children: Child[] = [upstream];
  const writeRequests: Ground['writeRequests'] = async (name, pathOf) => {
    const file = join(folder, name);
    await writeFile(file, tokens.map((token, n) => `${pathOf(n)} ${token}\n`).join(''));
    return file;
  };
  return {
    folder,
    programs,
    issuer,
    authorization,
    upstream,
    tokens,
    requestsFile: await writeRequests('requests.txt', () => TARGET_PATH),
    hasWrk: installed('wrk'),
    writeRequests,
    async start(launch) {
      const port = await reservePort(0);
      const child = await launch(port);
      children.push(child);
      return { ...child, port };
    },
    startNode: (program, args, { flags = [], ...options }) =>
      startChild(process.execPath, ['--enable-source-maps', ...flags, program, ...args], options),
    async close() {
      // The upstream last: whoever forwards to it should not see it go.
      for (const child of children.reverse()) await child.stop();
      await Promise.all([issuer.close(), authorization.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The product's variables: the whole pipeline, memory counters whose quota is never reached. */
export function variables(
  { issuer, authorization, upstream }: Ground,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    UPSTREAM_URL: upstream.url,
    ACCESS_RULES: RULES,
    OPENFGA_URL: authorization.url,
    OPENFGA_STORE_ID: authorization.storeId,
    OPENFGA_MODEL_ID: authorization.modelId,
    ZITADEL_ISSUER_URL: issuer.url,
    ZITADEL_AUDIENCE: issuer.audience,
    RATE_LIMIT: '1000000/60s',
    ENVIRONMENT: 'development',
    LOG_LEVEL: 'info',
    HOST: '127.0.0.1',
    ...more,
  };
}
