import { isDeepStrictEqual } from 'node:util';
import { TUPLES_PER_WRITE, tupleSchema, type Tuple, type Tuples } from '../../shared/tuples.ts';
import { Failure } from '../failure.ts';

export interface ImportOptions {
  /** Lines that an earlier import has written. */
  readonly skip: number;
  readonly dryRun: boolean;
  /** After each write: the lines done so far. */
  readonly onDone: (lines: number) => Promise<void>;
}

interface Batch {
  /** By user, relation and object: OpenFGA refuses a tuple that comes twice in one write. */
  readonly tuples: Map<string, Tuple>;
  first: number;
}

/** Writes the tuples of JSON lines; what is there already stays as it is. Answers with the number of lines read. */
export async function importLines(
  tuples: Pick<Tuples, 'write'>,
  lines: AsyncIterable<string>,
  { skip, dryRun, onDone }: ImportOptions,
): Promise<number> {
  let batch: Batch = { tuples: new Map(), first: skip + 1 };
  let at = 0;
  const flush = async (): Promise<void> => {
    if (!dryRun) await writeBatch(tuples, batch, at);
    await onDone(at);
    batch = { tuples: new Map(), first: at + 1 };
  };
  for await (const line of lines) {
    at += 1;
    if (at <= skip || line.trim() === '') continue;
    add(batch, parseLine(line, at), at);
    if (batch.tuples.size === TUPLES_PER_WRITE) await flush();
  }
  if (at < skip)
    throw new Failure(`the file has ${at} lines, but ${skip} were written already: it is another file`);
  await flush();
  return at;
}

async function writeBatch(tuples: Pick<Tuples, 'write'>, batch: Batch, last: number): Promise<void> {
  try {
    await tuples.write({ writes: [...batch.tuples.values()] });
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown error';
    throw new Failure(`lines ${batch.first} to ${last} were not written: ${why}`, { cause: error });
  }
}

function add({ tuples }: Batch, tuple: Tuple, at: number): void {
  const key = JSON.stringify([tuple.user, tuple.relation, tuple.object]);
  const earlier = tuples.get(key);
  if (earlier !== undefined && !isDeepStrictEqual(earlier, tuple))
    throw new Failure(`line ${at}: the same tuple stands before it with another condition`);
  tuples.set(key, tuple);
}

function parseLine(line: string, at: number): Tuple {
  try {
    return tupleSchema.strict().parse(JSON.parse(line));
  } catch (error) {
    throw new Failure(`line ${at} is no tuple: write {"user":…,"relation":…,"object":…}`, { cause: error });
  }
}
