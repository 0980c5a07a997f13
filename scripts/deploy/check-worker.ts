import { unstable_readConfig } from 'wrangler';
import * as z from 'zod';
import { openConfigured } from '../../functions/configuration.ts';
import { openRules } from '../../functions/gateway/match/store.ts';
import { createPlatform } from '../../shared/deps.ts';
import type { RawEnvironment } from '../../shared/configuration/slice.ts';

export interface WorkerSettings {
  /** [vars] and bindings. */
  readonly vars: RawEnvironment;
  /** Names of secrets, whose values are at Cloudflare alone. */
  readonly secrets: readonly string[];
}

/** Every fault that would keep a Worker with these settings from serving; what only a secret's value shows is left out. */
export function workerFaults({ vars, secrets }: WorkerSettings): readonly string[] {
  // The files are those that the bundle will hold; unlike a Worker, this machine can hold rules against the model's file.
  const platform = { ...createPlatform(), runtime: 'workers', watchText: () => ignore } as const;
  const raw = { ...vars, ...Object.fromEntries(secrets.map((name) => [name, 'a secret at Cloudflare'])) };
  const opened = openConfigured(raw, platform, (config) => {
    const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
    openRules(config.rules, { targets: new Set(Object.keys(config.targets)) }, { platform, log });
  });
  if (opened.ok) return [];
  return opened.faults.filter((fault) => !secrets.includes(fault.split(' ', 1)[0] ?? ''));
}

const ignore = (): void => undefined;

/** What is used of wrangler's own reading of wrangler.toml; its types leave half of it open. */
const Wrangler = z.object({
  vars: z.record(z.string(), z.unknown()).default({}),
  assets: z.object({ binding: z.string().optional() }).optional(),
  hyperdrive: z.array(z.object({ binding: z.string() })).default([]),
  build: z.object({ command: z.string().default('') }),
});

/** wrangler.toml of the working directory, for CLOUDFLARE_ENV where that is set. */
export function workerSettings(): WorkerSettings {
  const env = process.env['CLOUDFLARE_ENV'];
  const args = { config: 'wrangler.toml', ...(env !== undefined && { env }) };
  const { vars, assets, hyperdrive, build } = Wrangler.parse(
    unstable_readConfig(args, { hideWarnings: true }),
  );
  const bindings = hyperdrive.map(({ binding }): [string, unknown] => [
    binding,
    { connectionString: 'postgres://hyperdrive' },
  ]);
  if (assets?.binding !== undefined) bindings.push([assets.binding, { fetch: ignore }]);
  const named = /--secrets[ =](\S+)/.exec(build.command)?.[1] ?? '';
  return {
    vars: { ...vars, ...Object.fromEntries(bindings) },
    secrets: named.split(',').filter((name) => name !== ''),
  };
}

/** Prints what would keep this Worker from serving; true when nothing would. */
export function checkWorker(): boolean {
  const faults = workerFaults(workerSettings());
  if (faults.length === 0) return true;
  // To stdout: wrangler quotes stderr as the text of one error.
  console.log('This Worker could only answer 503 not_configured:');
  for (const fault of faults) console.log(`  - ${fault}`);
  console.log(
    'Variables go into [vars] of wrangler.toml; secrets are set by `npx wrangler secret put NAME` and named in [build].',
  );
  return false;
}
