import { median, verdict, type SectionResult, type Table } from '../figures.ts';
import { openLifecycleGround, type LifecycleGround } from '../lifecycle/ground.ts';
import { removed, removedBare } from '../lifecycle/removal.ts';
import { LOOP_SAMPLE, renamed, renamedBare, renamedByLoop } from '../lifecycle/rename.ts';
import { race, timeRatio, type Laps } from '../lifecycle/sides.ts';
import { insertedBare, received, refusals } from '../lifecycle/webhooks.ts';

const SECTION = 'lifecycle';
const DELIVERIES = 4_000;
const SUSPENSIONS = 400;
const WARM = 100;
const TUPLES_OF_USER = 10_000;

export interface LifecycleOptions {
  readonly rounds: number;
  /** Of the renamed feature. */
  readonly tuples: number;
}

type Part = Pick<SectionResult, 'tables' | 'verdicts'>;

/** What keeping authorization data right costs, beside the bare statements and calls it cannot do without. */
export async function measureLifecycle(options: LifecycleOptions): Promise<SectionResult> {
  const ground = await openLifecycleGround();
  if (typeof ground === 'string') return { section: SECTION, tables: [], verdicts: [], notes: [ground] };
  try {
    const parts: Part[] = [];
    for (const measure of [measureInbox, measureRefusal, measureRemoval, measureRename])
      parts.push(await measure(ground, options));
    return {
      section: SECTION,
      tables: parts.flatMap(({ tables }) => tables),
      verdicts: parts.flatMap(({ verdicts }) => verdicts),
      notes: [
        'OpenFGA keeps its tuples in Postgres; the disk waits for nothing (fsync off)',
        `one write per tuple is measured on one tuple in ${1 / LOOP_SAMPLE}, once, and scaled`,
      ],
    };
  } finally {
    await ground.close();
  }
}

async function measureInbox(ground: LifecycleGround, { rounds }: LifecycleOptions): Promise<Part> {
  console.error('measuring: inbox');
  const warm = [received(ground, DELIVERIES / 4), insertedBare(ground, DELIVERIES / 4)];
  for (const side of warm) await side();
  const laps = await race(
    [
      ['webhook received', received(ground, DELIVERIES)],
      ['bare INSERT', insertedBare(ground, DELIVERIES)],
    ],
    rounds,
  );
  const rate = 1 / timeRatio(laps, 'webhook received', 'bare INSERT');
  return {
    tables: [table(`Inbox: ${DELIVERIES} deliveries, 16 at once`, laps, 'bare INSERT')],
    verdicts: [verdict('inbox: throughput of a bare INSERT of the same rows', rate, { atLeast: 0.5 })],
  };
}

/** From the arrival of a suspension to the refusal, on one instance: what is ours of "within a second". */
async function measureRefusal(ground: LifecycleGround): Promise<Part> {
  console.error('measuring: refusal');
  const all = await refusals(ground, WARM + SUSPENSIONS);
  const times = all.slice(WARM).sort((one, other) => one - other);
  const at = (share: number): number => times[Math.ceil(times.length * share) - 1] ?? Number.NaN;
  const figures = [median(times), at(0.95), at(1)];
  return {
    tables: [
      {
        title: `Refusal: ${SUSPENSIONS} suspensions, one after the other, ms from arrival to refusal`,
        columns: ['median', 'p95', 'most'],
        rows: [figures.map((ms) => ms.toFixed(1))],
      },
    ],
    verdicts: [verdict('refusal: ms from arrival, p95', at(0.95), { atMost: 100 })],
  };
}

async function measureRemoval(ground: LifecycleGround, { rounds }: LifecycleOptions): Promise<Part> {
  console.error('measuring: removal');
  const laps = await race(
    [
      ['user.removed applied', removed(ground, TUPLES_OF_USER)],
      ['bare reads and deletes', removedBare(ground, TUPLES_OF_USER)],
    ],
    rounds,
  );
  const ratio = timeRatio(laps, 'user.removed applied', 'bare reads and deletes');
  const title = `Removing a user with ${TUPLES_OF_USER} tuples`;
  return {
    tables: [table(title, laps, 'bare reads and deletes')],
    verdicts: [verdict('removal: time of the bare reads and deletes', ratio, { atMost: 1.3 })],
  };
}

async function measureRename(ground: LifecycleGround, { rounds, tuples }: LifecycleOptions): Promise<Part> {
  console.error('measuring: rename');
  const laps = await race(
    [
      ['feature sync', renamed(ground, tuples)],
      ['bare reads and writes', renamedBare(ground, tuples)],
    ],
    rounds,
  );
  const all = new Map<string, readonly number[]>(laps);
  all.set('one write per tuple (scaled)', [await renamedByLoop(ground, tuples)()]);
  const ratio = timeRatio(laps, 'feature sync', 'bare reads and writes');
  return {
    tables: [table(`Renaming a feature with ${tuples} tuples`, all, 'bare reads and writes')],
    verdicts: [verdict('rename: time of the bare reads and writes', ratio, { atMost: 1.3 })],
  };
}

function table(title: string, laps: Laps<string>, unit: string): Table {
  const base = median(laps.get(unit) ?? []);
  const rows = [...laps].map(([name, all]) => [
    name,
    (median(all) / 1000).toFixed(2),
    (median(all) / base).toFixed(2),
  ]);
  return { title, columns: ['by', 'seconds', `of ${unit}`], rows };
}
