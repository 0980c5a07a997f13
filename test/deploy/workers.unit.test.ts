import { describe, expect, it } from 'vitest';
import { workerFaults, workerSettings, type WorkerSettings } from '../../scripts/deploy/check-worker.ts';
import { deploy, type DeployOptions, type Run } from '../../scripts/deploy/steps.ts';

const SERVING = '[{"path":"/old"}]';
const ANSWERS: Readonly<Record<string, string>> = {
  'git status': '',
  'git rev-parse': 'aaaabbbbcccc\n',
  'wrangler deployments': JSON.stringify({ versions: [{ version_id: 'v1', percentage: 100 }] }),
  'wrangler versions': JSON.stringify({ annotations: { 'workers/tag': '111122223333' } }),
  'git show': SERVING,
  'wrangler secret': JSON.stringify([{ name: 'ASSERTION_KEYS' }, { name: 'UPSTASH_REDIS_REST_TOKEN' }]),
};
const SETTINGS: WorkerSettings = {
  vars: {
    ENVIRONMENT: 'production',
    UPSTREAM_URL: 'https://api.example.org',
    OPENFGA_URL: 'https://openfga.example.org',
    OPENFGA_STORE_ID: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    UPSTASH_REDIS_REST_URL: 'https://upstash.example.org',
  },
  secrets: ['ASSERTION_KEYS', 'UPSTASH_REDIS_REST_TOKEN'],
};
const OPTIONS: DeployOptions = { dryRun: false, first: false, allowWidening: false };

async function deployed(
  options: Partial<DeployOptions> = {},
  answers: Readonly<Record<string, string | Error>> = {},
  settings: WorkerSettings = SETTINGS,
) {
  const commands: string[] = [];
  const kept: string[] = [];
  const given = new Map<string, Readonly<Record<string, string>>>();
  const run: Run = (command, { variables = {} }) => {
    const line = command.join(' ').replace(/^npx |^node cli\/sallyport\.mjs /, '');
    commands.push(line);
    given.set(line, variables);
    const key = line.split(' ').slice(0, 2).join(' ');
    const answer = answers[key] ?? answers[line] ?? ANSWERS[key] ?? '';
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const keepPrevious = (text: string) => Promise.resolve(kept.push(text)).then(() => 'prev.json');
  const failure = await deploy(
    { ...OPTIONS, ...options },
    { run, keepPrevious, settings, say: () => undefined },
  ).then(
    () => undefined,
    (error: unknown) => error,
  );
  const changing = commands.filter((line) => /^rules sync|^wrangler deploy /.test(line));
  return { commands, changing, kept, failure, given };
}

const FILES = '--previous prev.json --rules config/access_rules.json';

describe('npm run deploy', () => {
  it('expands, deploys and contracts, from the rules of the commit that serves', async () => {
    const { changing, kept, commands } = await deployed();
    expect(commands).toContain('git show 111122223333:config/access_rules.json');
    expect(kept).toEqual([SERVING]);
    expect(changing).toEqual([
      `rules sync ${FILES} --phase expand`,
      'wrangler deploy --tag aaaabbbbcccc',
      `rules sync ${FILES} --phase contract`,
    ]);
  });

  it('changes nothing when the rules ask what the live model lacks', async () => {
    const check = 'rules check config/access_rules.json --store --any-target';
    const { commands, changing, failure } = await deployed({}, { [check]: new Error('refused') });
    expect(commands).toContain(check);
    expect(changing).toEqual([]);
    expect(failure).toBeInstanceOf(Error);
  });

  it('changes nothing when the doctor finds red, who gets the variables of the Worker', async () => {
    const check = 'doctor --for deployment';
    const { changing, failure, given } = await deployed({}, { [check]: new Error('red') });
    expect(given.get(check)).toMatchObject({ OPENFGA_URL: 'https://openfga.example.org' });
    expect(changing).toEqual([]);
    expect(failure).toBeInstanceOf(Error);
  });

  it('does not deploy when expand fails, nor contract when the deployment fails', async () => {
    const expand = await deployed({}, { [`rules sync ${FILES} --phase expand`]: new Error('refused') });
    expect(expand.changing).toEqual([`rules sync ${FILES} --phase expand`]);
    const wrangler = await deployed({}, { 'wrangler deploy': new Error('away') });
    expect(wrangler.changing).not.toContain(`rules sync ${FILES} --phase contract`);
    expect(wrangler.failure).toBeInstanceOf(Error);
  });

  it.each([
    ['Cloudflare does not answer', { 'wrangler deployments': new Error('away') }],
    ['the serving version was deployed by other means', { 'wrangler versions': '{"annotations":{}}' }],
    ['the rules are not committed', { 'git status': ' M config/access_rules.json' }],
    [
      'two versions serve at once',
      {
        'wrangler deployments': JSON.stringify({
          versions: [1, 2].map((n) => ({ version_id: `v${n}`, percentage: 50 })),
        }),
      },
    ],
  ])('changes nothing when %s', async (_why, answers) => {
    const { changing, failure } = await deployed({}, answers);
    expect(changing).toEqual([]);
    expect(failure).toBeInstanceOf(Error);
  });

  it('takes no rules for the previous ones only when told that this is the first deployment', async () => {
    expect((await deployed({ first: true })).kept).toEqual(['[]']);
  });

  it('changes nothing in a dry run', async () => {
    const { changing } = await deployed({ dryRun: true });
    expect(changing).toEqual([
      `rules sync ${FILES} --dry-run`,
      'wrangler deploy --tag aaaabbbbcccc --dry-run',
    ]);
  });

  it.each([
    [
      'a variable is missing',
      { ...SETTINGS, vars: { ...SETTINGS.vars, UPSTREAM_URL: '' } },
      {},
      'UPSTREAM_URL',
    ],
    ['a secret is not set', SETTINGS, { 'wrangler secret': '[]' }, 'wrangler secret put ASSERTION_KEYS'],
    ['no secret is named', { ...SETTINGS, secrets: [] }, {}, 'ASSERTION_KEYS'],
  ])('changes nothing when the Worker could only answer 503: %s', async (_why, settings, answers, named) => {
    const { changing, failure } = await deployed({}, answers, settings);
    expect(changing).toEqual([]);
    expect(String(failure)).toContain(named);
  });
});

describe('what wrangler runs before it bundles', () => {
  it('finds nothing wrong with a Worker that would serve', () => {
    expect(workerFaults(SETTINGS)).toEqual([]);
  });

  it('lists every fault of the variables and of the rules that they name', () => {
    const rules = '[{"path":"/a","method":"GET","feature":"x","target":"billing"}]';
    const vars = { ...SETTINGS.vars, RATE_LIMIT: 'many', OPENFGA_URL: '', ACCESS_RULES: rules };
    const faults = workerFaults({ ...SETTINGS, vars });
    for (const named of ['RATE_LIMIT', 'OPENFGA_URL', 'ACCESS_RULES']) {
      expect(faults).toContainEqual(expect.stringMatching(new RegExp(`^${named} `)));
    }
  });

  it('misses the files of pages where they are not bound, and finds them in the wrangler.toml of the repository', () => {
    const vars = { ...SETTINGS.vars, FUNCTIONS: 'analytics', DATABASE_URL: 'postgres://db.neon.tech/app' };
    expect(workerFaults({ ...SETTINGS, vars })).toEqual([expect.stringMatching(/^ASSETS is missing: /)]);
    const { ASSETS } = workerSettings().vars;
    expect(workerFaults({ ...SETTINGS, vars: { ...vars, ASSETS } })).toEqual([]);
  });

  it('judges no secret by a value it does not have', () => {
    const secrets = [...SETTINGS.secrets, 'DATABASE_URL', 'ZITADEL_AUDIENCE'];
    expect(workerFaults({ ...SETTINGS, secrets })).toEqual([]);
  });
});
