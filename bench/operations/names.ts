import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { median, verdict } from '../figures.ts';
import { path } from '../programs.ts';
import type { Measured, OperationsOptions } from '../sections/operations.ts';
import { postgresFolder, startPostgresServer } from '../servers/stores.ts';
import { EVENTS_OF_USER, fillZitadel } from './zitadel-people.ts';

const run = promisify(execFile);

/** A tenth of the users, for the memory that must not grow with them. */
const SMALL = 0.1;
/** Inputs to explain: names, an e-mail, and one that no user has. */
const INPUTS = ['user777@org78.example', 'user500@mail.example', 'user1', 'nobody@nowhere.example'];

interface Lap {
  readonly ms: number;
  /** KiB. */
  readonly memory: number;
}

/** `zitadel verify` and `login-names explain` on a Zitadel of that many users, as processes of their own. */
export async function measureNames({ rounds, users }: OperationsOptions): Promise<Measured | string> {
  const folder = postgresFolder();
  if (folder === undefined) return 'no Postgres is installed';
  const postgres = await startPostgresServer(folder);
  try {
    const program = path('dist/bench/names');
    await run(process.execPath, [path('scripts/build.mjs'), program], { cwd: path('.') });
    const sallyport = (...args: readonly string[]) => lap(join(program, 'sallyport.js'), args);
    const [large, small] = ['large', 'small'].map((name) => postgres.createDatabase(name)) as [
      string,
      string,
    ];
    fillZitadel(folder, large, users);
    fillZitadel(folder, small, Math.round(users * SMALL));
    const verify = (url: string) => sallyport('zitadel', 'verify', '--json', '--database', url);
    const verified: Lap[] = [];
    const beside: Lap[] = [];
    for (let round = 0; round < rounds; round++) {
      beside.push(await verify(small));
      verified.push(await verify(large));
    }
    const started: number[] = [];
    const explained: number[] = [];
    for (const input of INPUTS.flatMap((each) => Array.from({ length: rounds }, () => each))) {
      started.push((await sallyport('zitadel', 'login-names', 'explain', '--help')).ms);
      explained.push((await sallyport('zitadel', 'login-names', 'explain', input, '--database', large)).ms);
    }
    return resultOf({ users, verified, beside, started, explained });
  } finally {
    await postgres.stop();
  }
}

/** Writes its peak memory as it ends. */
const PROBE = `data:text/javascript,${encodeURIComponent("process.on('exit',()=>process.stderr.write('\\nmaxrss '+process.resourceUsage().maxRSS+'\\n'))")}`;

async function lap(program: string, args: readonly string[]): Promise<Lap> {
  const from = performance.now();
  const child = spawn(process.execPath, ['--import', PROBE, program, '--env-file=/dev/null', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')]);
  const memory = Number(/maxrss (\d+)/.exec(stderr)?.[1]);
  // Exit code 1: the input signs in no user.
  if (child.exitCode !== 0 && child.exitCode !== 1) throw new Error(`sallyport ${args.join(' ')}: ${stderr}`);
  return { ms: performance.now() - from, memory };
}

interface Laps {
  readonly users: number;
  readonly verified: readonly Lap[];
  readonly beside: readonly Lap[];
  readonly started: readonly number[];
  readonly explained: readonly number[];
}

function resultOf({ users, verified, beside, started, explained }: Laps): Measured {
  const seconds = (laps: readonly Lap[]): number[] => laps.map(({ ms }) => ms / 1_000);
  const memory = (laps: readonly Lap[]): number => median(laps.map((each) => each.memory / 1_024));
  const beyond = explained.map((ms, at) => ms - (started[at] ?? 0));
  const row = (name: string, laps: readonly Lap[]): string[] => [
    name,
    median(seconds(laps)).toFixed(2),
    memory(laps).toFixed(0),
  ];
  return {
    tables: [
      {
        title: 'zitadel verify',
        columns: ['of', 'seconds', 'MiB of the process'],
        rows: [
          row(`${users} users, ${users * EVENTS_OF_USER} events`, verified),
          row('a tenth of them', beside),
        ],
      },
      {
        title: `login-names explain at ${users} users`,
        columns: ['what', 'ms'],
        rows: [
          ['the whole command', median(explained).toFixed(0)],
          ['of that, the start of the program (explain --help)', median(started).toFixed(0)],
        ],
      },
    ],
    verdicts: [
      verdict(`verify of ${users} users`, seconds(verified), { atMost: 60 }, 's'),
      verdict('verify: memory of ten times the users', memory(verified) / memory(beside), { atMost: 1.3 }),
      verdict(`explain at ${users} users, beyond the start of the program`, beyond, { atMost: 200 }, 'ms'),
    ],
  };
}
