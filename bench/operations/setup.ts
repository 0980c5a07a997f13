import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { median, ratios, verdict } from '../figures.ts';
import { race, timed, type Side } from '../lifecycle/sides.ts';
import { path } from '../programs.ts';
import type { Measured, OperationsOptions } from '../sections/operations.ts';

const run = promisify(execFile);

/** What a real Zitadel took for a call of a set-up, in the median of 85. */
const CALL_MS = 25;

const VARIABLES = {
  PUBLIC_URL: 'https://gateway.example.org',
  ...{ SMTP_USER: 'apikey', SMTP_PASSWORD: 'none' },
  ...{ GOOGLE_CLIENT_ID: 'google', GOOGLE_CLIENT_SECRET: 'none' },
  ...{ AZURE_CLIENT_ID: 'azure', AZURE_CLIENT_SECRET: 'none', AZURE_TENANT: 'common' },
};

/** A command of the API, as it was sent. */
interface Command {
  readonly method: string;
  readonly path: string;
  readonly organization: string | null;
  readonly body: string;
}

const READS = /\/_?search$|\/List\w+$|^\/v2\/users$/;

/** A set-up of everything on an empty instance, its process included, in units of a bare loop of the calls that change something. */
export async function measureSetup({ rounds }: OperationsOptions): Promise<Measured> {
  const files = await mkdtemp(join(tmpdir(), 'sallyport-bench-setup-'));
  try {
    const program = path('dist/bench/setup');
    await run(process.execPath, [path('scripts/build.mjs'), program], { cwd: path('.') });
    const bench = { program: join(program, 'sallyport.js'), files };
    const commands = await recordedCommands(bench);
    const laps = await race(
      [
        [OURS, setUp(bench)],
        [BARE, bareLoop(commands)],
      ],
      rounds,
    );
    const [ours, bare] = [laps.get(OURS) ?? [], laps.get(BARE) ?? []];
    return {
      tables: [
        {
          title: `Set-up of everything: ${commands.length} commands, ${CALL_MS} ms each`,
          columns: ['', 'ms'],
          rows: [
            [OURS, median(ours).toFixed(0)],
            [BARE, median(bare).toFixed(0)],
          ],
        },
      ],
      verdicts: [verdict('setup: rate of a bare loop of its commands', ratios(bare, ours), { atLeast: 0.8 })],
      notes: [
        'a stand-in of Zitadel answers each call as late as a real one did; the loop reads nothing, and is in a running process',
      ],
    };
  } finally {
    await rm(files, { recursive: true, force: true });
  }
}

const OURS = 'zitadel setup';
const BARE = 'bare loop';

interface Bench {
  readonly program: string;
  readonly files: string;
}

async function slow(
  onCommand: (request: Request) => Promise<void> = () => Promise.resolve(),
): Promise<Zitadel> {
  return startZitadel({
    intercept: async (request) => {
      await onCommand(request);
      await new Promise((resolve) => setTimeout(resolve, CALL_MS));
      return undefined;
    },
  });
}

async function command({ program, files }: Bench, { url, token }: Zitadel): Promise<void> {
  const out = join(files, 'out.env');
  await rm(out, { force: true });
  const file = path('config/zitadel.setup.json');
  const args = ['--env-file=/dev/null', 'zitadel', 'setup', '--file', file, '--out', out, '--json'];
  const env = { PATH: process.env['PATH'] ?? '', ...VARIABLES, BACKUP_DIR: files };
  await run(process.execPath, [program, ...args], {
    env: { ...env, ZITADEL_API_URL: url, ZITADEL_SERVICE_TOKEN: token },
  });
  if (!(await readFile(out, 'utf8')).includes('ZITADEL_CLIENT_SECRET='))
    throw new Error('nothing was set up');
}

/** In the order in which they came. */
async function recordedCommands(bench: Bench): Promise<readonly Command[]> {
  const commands: Command[] = [];
  const zitadel = await slow(async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method === 'GET' || READS.test(pathname)) return;
    const { method, headers } = request;
    const body = await request.clone().text();
    commands.push({ method, path: pathname, organization: headers.get('x-zitadel-orgid'), body });
  });
  try {
    await command(bench, zitadel);
    return commands;
  } finally {
    await zitadel.close();
  }
}

function setUp(bench: Bench): Side {
  return async () => {
    const zitadel = await slow();
    try {
      return await timed(() => command(bench, zitadel));
    } finally {
      await zitadel.close();
    }
  };
}

/** Ids of a stand-in count up, so that the same commands in the same order name the same things. */
function bareLoop(commands: readonly Command[]): Side {
  return async () => {
    const zitadel = await slow();
    try {
      return await timed(async () => {
        for (const each of commands) await send(zitadel, each);
      });
    } finally {
      await zitadel.close();
    }
  };
}

async function send(
  { url, token }: Zitadel,
  { method, path: at, organization, body }: Command,
): Promise<void> {
  const answer = await fetch(url + at, {
    method,
    headers: {
      ...{ authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(organization !== null && { 'x-zitadel-orgid': organization }),
    },
    body,
  });
  await answer.text();
  if (!answer.ok) throw new Error(`${method} ${at}: ${answer.status}`);
}
