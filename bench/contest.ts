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
  readonly by: keyof Turn;
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

export function roundsOf(turns: Turns, id: ContenderId, figure: keyof Turn): number[] {
  return (turns.get(id) ?? []).map((turn) => turn[figure]);
}

/** Every server that took part, with its medians. */
export function turnsTable(title: string, turns: Turns): Table {
  const rows = [...turns.keys()].map((id) => {
    const rounds = (figure: keyof Turn) => roundsOf(turns, id, figure);
    return [
      NAMES[id],
      ...cells(rounds('requestsPerSecond'), 0),
      median(rounds('p50Ms')).toFixed(2),
      ...cells(rounds('p99Ms'), 2),
      ...cells(rounds('cpuMs'), 3),
    ];
  });
  const columns = [
    'server',
    'requests/s',
    'from–to',
    'p50 ms',
    'p99 ms',
    'from–to',
    'CPU s per 1,000',
    'from–to',
  ];
  return { title, columns, rows };
}

/** Every comparison whose two sides took part: ratios within each round. */
export function ratiosTable(title: string, turns: Turns, comparisons: readonly Comparison[]): Table {
  const rows = comparisons
    .filter((it) => tookPart(turns, it))
    .map((it) => [
      `${NAMES[it.ours]} : ${NAMES[it.of]}`,
      ...cells(ratio(turns, it, 'requestsPerSecond'), 2),
      ...cells(ratio(turns, it, 'p99Ms'), 2),
      ...cells(ratio(turns, it, 'cpuMs'), 2),
    ]);
  return { title, columns: ['ratio', 'requests/s', 'from–to', 'p99', 'from–to', 'CPU', 'from–to'], rows };
}

export function verdictsOf(turns: Turns, comparisons: readonly Comparison[]): Verdict[] {
  return comparisons.flatMap((it) =>
    it.goal === undefined || !tookPart(turns, it)
      ? []
      : [verdict(promiseOf(it), ratio(turns, it, it.by), it.goal)],
  );
}

const FIGURES: Readonly<Record<keyof Turn, string>> = {
  requestsPerSecond: 'throughput',
  p50Ms: 'p50',
  p99Ms: 'p99',
  cpuMs: 'CPU per request',
};

function promiseOf({ ours, of, by }: Comparison): string {
  return `${FIGURES[by]}: ${NAMES[ours]} : ${NAMES[of]}`;
}

function tookPart(turns: Turns, { ours, of }: Comparison): boolean {
  return turns.has(ours) && turns.has(of);
}

function ratio(turns: Turns, { ours, of }: Comparison, figure: keyof Turn): number[] {
  return ratios(roundsOf(turns, ours, figure), roundsOf(turns, of, figure));
}
