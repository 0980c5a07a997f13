import { measureCallbacks } from '../crossing/callback.ts';
import { atEachProvider, type CrossingGround } from '../crossing/ground.ts';
import { madeBare, madeByScript, provisioned, SCRIPT_SAMPLE } from '../crossing/provisioning.ts';
import { measureSignIn } from '../crossing/sign-in.ts';
import { median, verdict, type SectionResult, type Table } from '../figures.ts';
import { race, timeRatio, type Laps } from '../lifecycle/sides.ts';
import { postgresFolder, startPostgresServer } from '../servers/stores.ts';

const SECTION = 'crossing';

export interface CrossingOptions {
  readonly rounds: number;
  /** Who are provisioned in one turn. */
  readonly people: number;
  /** Of a turn at a constant rate. */
  readonly seconds: number;
  /** Stand-ins take as long as real servers did. */
  readonly paced: boolean;
}

type Part = Pick<SectionResult, 'tables' | 'verdicts'>;

/** What carrying people to a provider costs, beside the calls it cannot do without. */
export async function measureCrossing(options: CrossingOptions): Promise<SectionResult> {
  const folder = postgresFolder();
  if (folder === undefined)
    return { section: SECTION, tables: [], verdicts: [], notes: ['left out: no Postgres is installed'] };
  const postgres = await startPostgresServer(folder);
  try {
    const signIn = await measureSignIn(postgres, options);
    const parts: Part[] = [
      signIn,
      await measureCallbacks(postgres, options),
      ...(await atEachProvider({ folder, postgres }, options.paced, (ground) =>
        measureProvisioning(ground, options),
      )),
    ];
    return {
      section: SECTION,
      tables: parts.flatMap(({ tables }) => tables),
      verdicts: parts.flatMap(({ verdicts }) => verdicts),
      notes: [
        ...signIn.notes,
        `a stand-in ${options.paced ? 'takes as long as a real server did' : 'answers as fast as it can'}, in the same process; KANIDM_URL or ZITADEL_API_URL with their tokens name real ones`,
        `the script's way is measured on ${SCRIPT_SAMPLE} people, once, and scaled; curl stands for the provider's command line`,
      ],
    };
  } finally {
    await postgres.stop();
  }
}

async function measureProvisioning(
  ground: CrossingGround,
  { rounds, people }: CrossingOptions,
): Promise<Part> {
  const { name } = ground;
  console.error(`measuring: provisioning at ${name}`);
  for (const warm of [provisioned(ground, people / 10), madeBare(ground, people / 10)]) await warm();
  const laps = await race(
    [
      ['users provision', provisioned(ground, people)],
      ['bare calls', madeBare(ground, people)],
    ],
    rounds,
  );
  const all = new Map<string, readonly number[]>(laps);
  const rate = 1 / timeRatio(laps, 'users provision', 'bare calls');
  const verdicts = [
    verdict(`provisioning at ${name}: rate of the bare calls at the same concurrency`, rate, {
      atLeast: 0.9,
    }),
  ];
  if (ground.config.provider === 'kanidm') {
    const script = [await madeByScript(ground, people)()];
    all.set('a process per step and a psql per user (scaled)', script);
    const times = median(script) / median(laps.get('users provision') ?? []);
    verdicts.push(
      verdict(`provisioning at ${name}: times the rate of the script's way`, times, { atLeast: 50 }),
    );
  }
  return { tables: [table(`Provisioning ${people} people at ${name}`, all, people)], verdicts };
}

function table(title: string, laps: Laps<string>, people: number): Table {
  const base = median(laps.get('bare calls') ?? []);
  const rows = [...laps].map(([name, all]) => [
    name,
    (median(all) / 1000).toFixed(2),
    Math.round((people * 1000) / median(all)).toString(),
    (median(all) / base).toFixed(2),
  ]);
  return { title, columns: ['by', 'seconds', 'people/s', 'of bare calls'], rows };
}
