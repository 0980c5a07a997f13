import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Trusting {
  readonly url: string;
  close(): Promise<void>;
}

export interface TrustingOptions {
  readonly variables?: Readonly<Record<string, string>>;
  /** PEM of an authority that workerd trusts as it trusts public ones. */
  readonly authority: string;
}

/** A Worker in workerd that trusts one authority more. Nothing of it leaves this machine. */
export async function startTrusting(
  entry: URL,
  { variables = {}, authority }: TrustingOptions,
): Promise<Trusting> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-trusting-'));
  const file = join(folder, 'authority.pem');
  writeFileSync(file, authority);
  const child = fork(
    fileURLToPath(new URL('trusting.child.ts', import.meta.url)),
    [fileURLToPath(entry), JSON.stringify(variables)],
    {
      execArgv: ['--import', 'tsx'],
      stdio: 'ignore',
      env: {
        ...process.env,
        NODE_EXTRA_CA_CERTS: file,
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        WRANGLER_SEND_METRICS: 'false',
      },
    },
  );
  const ended = once(child, 'exit');
  const [url] = (await Promise.race([
    once(child, 'message'),
    ended.then(() => {
      throw new Error('workerd did not start');
    }),
  ])) as [string];
  return {
    url,
    async close() {
      child.send('close');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
