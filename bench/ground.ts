import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reservePort } from '../dev/listen.ts';
import { startAuthorization } from './authorization.ts';
import { buildNode, type Bundles } from './bundles.ts';
import { installed, startChild, type Child, type ChildOptions } from './children.ts';
import { startIssuer } from './issuer.ts';
import { startUpstream, type Upstream } from './servers/upstream.ts';
import type { Surroundings } from './variables.ts';

const TOKENS = 200;

/** What every measurement stands on: one issuer, one OpenFGA stand-in, one upstream, the built programs. */
export interface Ground extends Surroundings {
  /** Gone when the bench ends. */
  readonly folder: string;
  readonly bundles: Bundles;
  readonly upstream: Upstream;
  readonly tokens: readonly string[];
  /** One token a line. */
  readonly tokensFile: string;
  readonly hasWrk: boolean;
  /** Starts a server on a free port; it ends with the ground at the latest. */
  start(launch: (port: number) => Promise<Child>): Promise<Child & { readonly port: number }>;
  startNode(program: string, args: readonly string[], options: ChildOptions): Promise<Child>;
  close(): Promise<void>;
}

export async function openGround(): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const [bundles, issuer, authorization] = await Promise.all([
    buildNode(),
    startIssuer(),
    startAuthorization(),
  ]);
  const tokens = await issuer.mint(TOKENS);
  const tokensFile = join(folder, 'tokens.txt');
  await writeFile(tokensFile, `${tokens.join('\n')}\n`);
  const upstream = await startUpstream(await reservePort(0), folder, bundles);
  const children: Child[] = [upstream];
  return {
    folder,
    bundles,
    issuer,
    authorization,
    upstream,
    upstreamUrl: upstream.url,
    tokens,
    tokensFile,
    hasWrk: installed('wrk'),
    async start(launch) {
      const port = await reservePort(0);
      const child = await launch(port);
      children.push(child);
      return { ...child, port };
    },
    startNode: (program, args, options) =>
      startChild(process.execPath, ['--enable-source-maps', program, ...args], options),
    async close() {
      // The upstream last: whoever forwards to it should not see it go.
      for (const child of children.reverse()) await child.stop();
      await Promise.all([issuer.close(), authorization.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
