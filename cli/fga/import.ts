import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { TUPLES_PER_WRITE, tupleSchema, type Tuple, type Tuples } from '../../shared/ports/tuples.ts';
import { Failure, serviceFailure } from '../failure.ts';
import { messageOf } from '../../shared/errors.ts';

/** The leading lines of the file that are written, and their digest. */
export interface Written {
  readonly lines: number;
  readonly digest: string;
}

export interface ImportOptions {
  /** Checkpoint of an earlier import. */
  readonly from: Written | undefined;
  readonly dryRun: boolean;
  /** Called at the start and after each write. */
  readonly onWritten: (written: Written) => Promise<void>;
}

interface Batch {
  /** By user, relation and object: OpenFGA refuses a write with the same tuple twice. */
  readonly tuples: Map<string, Tuple>;
  first: number;
}

/** Strict: no member is dropped silently. */
const lineSchema = tupleSchema
  .extend({ condition: tupleSchema.shape.condition.unwrap().strict().optional() })
  .strict();

/** Writes the tuples of JSON lines; existing ones stay as they are. Returns the number of lines read. */
export async function importLines(
  tuples: Pick<Tuples, 'write'>,
  lines: AsyncIterable<string>,
  { from, dryRun, onWritten }: ImportOptions,
): Promise<number> {
  const skip = from?.lines ?? 0;
  const seen = createHash('sha256');
  let batch: Batch = { tuples: new Map(), first: skip + 1 };
  let at = 0;
  const digest = (): string => seen.copy().digest('hex');
  const flush = async (): Promise<void> => {
    if (!dryRun) await writeBatch(tuples, batch, at);
    await onWritten({ lines: at, digest: digest() });
    batch = { tuples: new Map(), first: at + 1 };
  };
  // So that an import which fails before its first write can resume too, and not where an older one stopped.
  if (skip === 0) await onWritten({ lines: 0, digest: digest() });
  for await (const line of lines) {
    at += 1;
    seen.update(line).update('\n');
    if (at === from?.lines && digest() !== from.digest) throw anotherFile(skip);
    if (at <= skip || line.trim() === '') continue;
    add(batch, parseLine(line, at), at);
    if (batch.tuples.size === TUPLES_PER_WRITE) await flush();
  }
  if (at < skip) throw anotherFile(skip);
  await flush();
  return at;
}

function anotherFile(lines: number): Failure {
  return new Failure(`the first ${lines} lines are not those that were written already: it is another file`);
}

async function writeBatch(tuples: Pick<Tuples, 'write'>, batch: Batch, last: number): Promise<void> {
  try {
    await tuples.write({ writes: [...batch.tuples.values()] });
  } catch (error) {
    throw new Failure(`lines ${batch.first} to ${last} were not written: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  return serviceFailure(error)?.message ?? messageOf(error);
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
    return lineSchema.parse(JSON.parse(line));
  } catch (error) {
    throw new Failure(`line ${at} is no tuple: write {"user":…,"relation":…,"object":…}`, { cause: error });
  }
}
