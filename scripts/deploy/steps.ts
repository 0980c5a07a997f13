import * as z from 'zod';
import { workerFaults, type WorkerSettings } from './check-worker.ts';

/** Runs a program to its end. Rejects when it fails; answers with its stdout when `capture` is set. */
export type Run = (
  command: readonly string[],
  options: {
    readonly capture: boolean;
    /** Variables that it gets where the environment has none of that name. */
    readonly variables?: Readonly<Record<string, string>>;
  },
) => Promise<string>;

export interface DeployOptions {
  readonly dryRun: boolean;
  /** There is no deployment yet, so no rules serve. */
  readonly first: boolean;
  readonly allowWidening: boolean;
}

export interface DeployPorts {
  readonly run: Run;
  /** Keeps the serving rules for the commands; answers with the file's name. */
  readonly keepPrevious: (text: string) => Promise<string>;
  readonly settings: WorkerSettings;
  readonly say: (text: string) => void;
}

/** What the Worker's bundle holds (shared/adapters/workerd/platform.ts). */
const RULES = 'config/access_rules.json';

const Deployment = z.object({
  versions: z.array(z.object({ version_id: z.string(), percentage: z.number() })).min(1),
});
const Version = z.object({ annotations: z.object({ 'workers/tag': z.string() }) });

/** Backs up the serving rules as the previous ones, expands, deploys, contracts: no user is refused on the way. */
export async function deploy(options: DeployOptions, ports: DeployPorts): Promise<void> {
  const { run, say } = ports;
  await refuseUnusable(ports.settings, options.dryRun ? undefined : run);
  const commit = await currentCommit(run);
  // What the rules, the tuples and the new version meet there: red refuses, as long as nothing is changed.
  const doctor = ['node', 'cli/sallyport.mjs', 'doctor', '--for', 'deployment'];
  await run(doctor, { capture: false, variables: textsOf(ports.settings.vars) });
  // A Worker cannot do it as it starts: it carries no parser, and its rules are part of what is deployed.
  const check = ['node', 'cli/sallyport.mjs', 'rules', 'check', RULES, '--store', '--any-target'];
  await run(check, { capture: false });
  const previous = await ports.keepPrevious(options.first ? '[]' : await servingRules(run));
  const sync = (...more: string[]): Promise<string> => {
    const files = ['--previous', previous, '--rules', RULES];
    const widening = options.allowWidening ? ['--allow-widening'] : [];
    const command = ['node', 'cli/sallyport.mjs', 'rules', 'sync', ...files, ...widening, ...more];
    return run(command, { capture: false });
  };
  const wrangler = ['npx', 'wrangler', 'deploy', '--tag', commit];
  if (options.dryRun) {
    await sync('--dry-run');
    await run([...wrangler, '--dry-run'], { capture: false });
    say('nothing was changed');
    return;
  }
  say('expand: the tuples that the new rules ask for');
  await sync('--phase', 'expand');
  say(`deploy ${commit}`);
  await run(wrangler, { capture: false });
  say('contract: delete what only the former rules asked for');
  await sync('--phase', 'contract');
}

/** Bindings are objects, and only inside workerd. */
function textsOf(vars: WorkerSettings['vars']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(vars).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );
}

const Secrets = z.array(z.object({ name: z.string() }));

/** Before anything is changed: a Worker that could only answer 503 would take the place of one that serves. */
async function refuseUnusable(settings: WorkerSettings, run: Run | undefined): Promise<void> {
  const faults = [...workerFaults(settings)];
  if (run !== undefined && settings.secrets.length > 0) {
    const listed = await run(['npx', 'wrangler', 'secret', 'list', '--format', 'json'], { capture: true });
    const set = new Set(Secrets.parse(JSON.parse(listed)).map(({ name }) => name));
    const missing = settings.secrets.filter((name) => !set.has(name));
    faults.push(...missing.map((name) => `${name} is not set: npx wrangler secret put ${name}`));
  }
  if (faults.length > 0)
    throw new Error(
      `the Worker could only answer 503 not_configured:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
}

/** The commit whose rules the bundle holds; the tag of the deployment, so that the next one finds them. */
async function currentCommit(run: Run): Promise<string> {
  const changed = await run(['git', 'status', '--porcelain', '--', RULES], { capture: true });
  if (changed.trim() !== '')
    throw new Error(`${RULES} is not committed: the next deployment could not find it`);
  return (await run(['git', 'rev-parse', '--short=12', 'HEAD'], { capture: true })).trim();
}

/** Fails rather than to take no answer for no rules: a rename would pass unseen, and everyone lose what was renamed. */
async function servingRules(run: Run): Promise<string> {
  const status = await run(['npx', 'wrangler', 'deployments', 'status', '--json'], { capture: true });
  const { versions } = Deployment.parse(JSON.parse(status));
  if (versions.length > 1)
    throw new Error(
      'two versions serve at once: end the gradual deployment first, so that one set of rules serves',
    );
  const [version] = versions;
  const shown = await run(['npx', 'wrangler', 'versions', 'view', version?.version_id ?? '', '--json'], {
    capture: true,
  });
  const found = Version.safeParse(JSON.parse(shown));
  if (!found.success)
    throw new Error(
      'the serving version has no tag: it was not deployed by `npm run deploy`; see docs/deploy.md',
    );
  return run(['git', 'show', `${found.data.annotations['workers/tag']}:${RULES}`], { capture: true });
}
