import { processorMicroseconds } from './children.ts';
import { LeftOut, NAMES, type Contender, type ContenderId, type Contenders } from './contenders.ts';
import { cells, median, ratios, verdict, type Goal, type Table, type Verdict } from './figures.ts';

/** What one turn of one server gave. */
export type Turn = Readonly<Record<'requestsPerSecond' | 'p50Ms' | 'p99Ms' | 'cpuMs', number>>;

/** Every turn of every server, in the order of the rounds. */
export type Turns = ReadonlyMap<ContenderId, readonly Turn[]>;

/** Two servers and what the product owes to the comparison, where it owes something. */
export interface Comparison {
  readonly ours: ContenderId;
  readonly of: ContenderId;
  readonly by: Figure;
  readonly goal?: Goal;
}

export type TakeTurn = (contender: Contender) => Promise<Turn>;

export interface Line {
  readonly present: ReadonlyMap<ContenderId, Contender>;
  /** Who is not there, and why. */
  readonly notes: readonly string[];
}

/** Starts the contenders; one that cannot be here is named in the notes. */
export async function lineUp(contenders: Contenders, ids: Iterable<ContenderId>): Promise<Line> {
  const present = new Map<ContenderId, Contender>();
  const notes: string[] = [];
  for (const id of ids) {
    try {
      present.set(id, await contenders.get(id));
    } catch (error) {
      if (!(error instanceof LeftOut)) throw error;
      notes.push(`left out: ${NAMES[id]}: ${error.message}`);
    }
  }
  return { present, notes };
}

/** One contender after the other, round by round, so that a slow spell of the machine meets all of them. */
export async function contest({ present }: Line, rounds: number, take: TakeTurn): Promise<Turns> {
  const turns = new Map<ContenderId, Turn[]>([...present.keys()].map((id) => [id, []]));
  for (let round = 0; round < rounds; round += 1) {
    // Backwards every second round: nobody always comes after the same neighbour.
    const order = round % 2 === 0 ? [...present] : [...present].reverse();
    for (const [id, contender] of order) turns.get(id)?.push(await take(contender));
  }
  return turns;
}

/** Milliseconds of processor time of a server per request, which is seconds per 1,000 requests. */
export async function withProcessorTime<Taken>(
  { pid }: Contender,
  load: () => Promise<Taken>,
  requests: (taken: Taken) => number,
): Promise<Taken & { readonly cpuMs: number }> {
  const before = processorMicroseconds(pid);
  const taken = await load();
  return { ...taken, cpuMs: (processorMicroseconds(pid) - before) / 1_000 / requests(taken) };
}

function roundsOf(turns: Turns, id: ContenderId, figure: Figure): number[] {
  return (turns.get(id) ?? []).map((turn) => turn[figure]);
}

type Figure = keyof Turn;

const FIGURES: Readonly<Record<Figure, Readonly<{ name: string; unit: string; digits: number }>>> = {
  requestsPerSecond: { name: 'requests/s', unit: '', digits: 0 },
  p50Ms: { name: 'p50', unit: ' ms', digits: 2 },
  p99Ms: { name: 'p99', unit: ' ms', digits: 2 },
  cpuMs: { name: 'CPU', unit: ' s per 1,000', digits: 3 },
};

/** Every server that took part: medians of these figures, each with its lowest and highest round. */
export function turnsTable(title: string, turns: Turns, figures: readonly Figure[]): Table {
  const rows = [...turns.keys()].map((id) => [
    NAMES[id],
    ...figures.flatMap((figure) => cells(roundsOf(turns, id, figure), FIGURES[figure].digits)),
  ]);
  const columns = figures.flatMap((it) => [FIGURES[it].name + FIGURES[it].unit, 'from–to']);
  return { title, columns: ['server', ...columns], rows };
}

/** Every comparison whose two sides took part: ratios of these figures within each round. */
export function ratiosTable(
  title: string,
  turns: Turns,
  figures: readonly Figure[],
  comparisons: readonly Comparison[],
): Table {
  const rows = comparisons
    .filter((it) => tookPart(turns, it))
    .map((it) => [
      `${NAMES[it.ours]} : ${NAMES[it.of]}`,
      ...figures.flatMap((figure) => cells(ratio(turns, it, figure), 2)),
    ]);
  const columns = figures.flatMap((it) => [FIGURES[it].name, 'from–to']);
  return { title, columns: ['ratio', ...columns], rows };
}

export function verdictsOf(turns: Turns, comparisons: readonly Comparison[]): Verdict[] {
  return comparisons.flatMap((it) => {
    if (it.goal === undefined || !tookPart(turns, it)) return [];
    const promise = `${FIGURES[it.by].name}: ${NAMES[it.ours]} : ${NAMES[it.of]}`;
    const cpu = (id: ContenderId) => median(roundsOf(turns, id, 'cpuMs'));
    return [{ ...verdict(promise, ratio(turns, it, it.by), it.goal), cpu: [cpu(it.ours), cpu(it.of)] }];
  });
}

function tookPart(turns: Turns, { ours, of }: Comparison): boolean {
  return turns.has(ours) && turns.has(of);
}

function ratio(turns: Turns, { ours, of }: Comparison, figure: Figure): number[] {
  return ratios(roundsOf(turns, ours, figure), roundsOf(turns, of, figure));
}
