import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openModels, openTuples } from '../deps.ts';
import { Failure } from '../failure.ts';
import { orFailure } from '../fga/connect.ts';
import { exportTo } from '../fga/export.ts';
import type { Journal } from '../journal.ts';
import { note, progressBar } from '../terminal.ts';
import { dumpDatabase, shownOf, type Target } from './database.ts';
import { checkPart, writePart, type Put, type Seal } from './file.ts';
import { Part } from './layout.ts';
import { contentOf, type Sources, type Text } from './sources.ts';

/** Everything that variables lead to, one after the other. `files` takes the name of each file that is begun. Throws Failure. */
export async function partsOf(
  { databases, relations, texts }: Sources,
  journal: Journal,
  seal: Seal | null,
  files: string[],
): Promise<Part[]> {
  const ending = seal === null ? '' : '.jwe';
  const write = <T>(file: string, produce: (put: Put) => Promise<T>) => {
    files.push(file);
    // Of a run that was cut off.
    rmSync(join(journal.folder, file), { force: true });
    return writePart(journal.folder, file, seal, produce);
  };
  const parts: Part[] = [];
  const keep = async (name: string, make: () => Promise<Part>, from?: string): Promise<void> => {
    const before = await wholePart(journal, name, from);
    journal.record(name, 'begun');
    const part = before ?? (await make());
    parts.push(part);
    journal.record(name, 'done', { part });
  };
  for (const target of databases) {
    const make = () => databasePart(target, journal, `${target.name}.dump${ending}`, write);
    await keep(target.name, make, shownOf(target));
  }
  if (relations !== null)
    await keep('tuples', async () => {
      const file = `tuples.jsonl${ending}`;
      const { value, ...stored } = await write(file, (put) => orFailure(relationsInto(put, relations)));
      return { kind: 'relations', name: 'tuples', file, ...stored, store: relations.storeId, ...value };
    });
  for (const text of texts) await keep(text.name, () => textPart(text, `${text.name}.json${ending}`, write));
  return parts;
}

/** A part that a process has brought to its end, which was cut off later; undefined: it has to be made. `from`: the database of today. */
async function wholePart(
  journal: Journal,
  name: string,
  from: string | undefined,
): Promise<Part | undefined> {
  const { data } = Part.safeParse(journal.find(name, 'done')?.['part']);
  if (data === undefined || (data.kind === 'database' && data.from !== from)) return undefined;
  try {
    await checkPart(journal.folder, data);
    note(`${name}: is there already`);
    return data;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

type Write = <T>(
  file: string,
  produce: (put: Put) => Promise<T>,
) => Promise<{ readonly bytes: number; readonly sha256: string; readonly value: T }>;

async function databasePart(target: Target, journal: Journal, file: string, write: Write): Promise<Part> {
  const bar = progressBar(`${target.name}: MB`, { long: true });
  try {
    const { value, ...stored } = await write(file, (put) => {
      let bytes = 0;
      return dumpDatabase(target, journal, async (dump) => {
        for await (const chunk of dump as AsyncIterable<Buffer>) {
          await put(chunk);
          bar.update(Math.floor((bytes += chunk.length) / 1e6));
        }
      });
    });
    return { kind: 'database', name: target.name, file, ...stored, ...value };
  } finally {
    bar.end();
  }
}

async function relationsInto(
  put: Put,
  relations: NonNullable<Sources['relations']>,
): Promise<{ readonly model: string; readonly tuples: number }> {
  const served = await openModels(relations).served();
  if (served === undefined)
    throw new Failure(`store ${relations.storeId} has no model: \`sallyport fga bootstrap\` writes one`);
  await put(`${JSON.stringify({ model: served.model })}\n`);
  const bar = progressBar('tuples', { long: true });
  const onProgress = (count: number): void => {
    bar.update(count);
  };
  const tuples = await exportTo(openTuples(relations), put, onProgress).finally(() => {
    bar.end();
  });
  return { model: served.id, tuples };
}

async function textPart(text: Text, file: string, write: Write): Promise<Part> {
  const content = await contentOf(text);
  const { bytes, sha256 } = await write(file, (put) => put(content));
  return { kind: 'text', name: text.name, file, bytes, sha256, variable: text.variable };
}
