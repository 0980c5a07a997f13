import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { exportToFile } from '../../cli/fga/export.ts';
import { importLines, type Written } from '../../cli/fga/import.ts';
import { splitLines } from '../../cli/fga/lines.ts';
import { failingStore, linesFor, MANY } from './many.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-tuples-'));
  return () => rm(folder, { recursive: true });
});

describe('an export', () => {
  const quiet = { store: 'one', onProgress: () => undefined };
  const whole = linesFor(MANY);

  it.each([0, 1, 2, 3])('that fails after %i pages goes on to the same file', async (pages) => {
    const store = failingStore(MANY);
    await store.filled();
    const file = join(folder, 'backup.jsonl');
    store.failAfter(pages);
    await expect(exportToFile(store, file, { ...quiet, resume: false })).rejects.toThrow('away');
    await expect(readFile(file)).rejects.toThrow('ENOENT');
    store.failAfter(Infinity);
    expect(await exportToFile(store, file, { ...quiet, resume: true })).toBe(MANY.length);
    expect(await readFile(file, 'utf8')).toBe(whole);
  });

  it('begun anew forgets where an older one of the same name stopped', async () => {
    const file = join(folder, 'backup.jsonl');
    const [older, newer] = [failingStore(MANY.toReversed()), failingStore(MANY)];
    await older.filled();
    older.failAfter(3);
    await expect(exportToFile(older, file, { ...quiet, resume: false })).rejects.toThrow('away');
    await newer.filled();
    newer.failAfter(0);
    await expect(exportToFile(newer, file, { ...quiet, resume: false })).rejects.toThrow('away');
    newer.failAfter(Infinity);
    await exportToFile(newer, file, { ...quiet, resume: true });
    expect(await readFile(file, 'utf8')).toBe(whole);
  });

  it('goes on neither with another store nor with a file that lost its end, nor from nothing', async () => {
    const store = failingStore(MANY);
    await store.filled();
    const file = join(folder, 'backup.jsonl');
    const resume = (name: string) => exportToFile(store, file, { ...quiet, store: name, resume: true });
    await expect(resume('one')).rejects.toThrow('no cut-off export');
    store.failAfter(2);
    await expect(exportToFile(store, file, { ...quiet, resume: false })).rejects.toThrow('away');
    store.failAfter(Infinity);
    await expect(resume('two')).rejects.toThrow('of store one');
    await writeFile(`${file}.partial`, 'cut');
    await expect(resume('one')).rejects.toThrow('shorter than its checkpoint says');
  });
});

describe('an import', () => {
  async function* pieces(text: string): AsyncGenerator<string> {
    for (let at = 0; at < text.length; at += 1000) yield text.slice(at, at + 1000);
  }
  const imported = async (
    store: ReturnType<typeof failingStore>,
    text: string,
    from?: Written,
    dryRun = false,
  ) => {
    const steps: Written[] = [];
    const onWritten = async (written: Written) => void steps.push(written);
    const work = importLines(store, splitLines(pieces(text)), { from, dryRun, onWritten });
    return { steps, end: await work.catch((error: unknown) => error) };
  };

  it.each([0, 1, 2, 3])('that fails after %i writes goes on to the same store', async (writes) => {
    const store = failingStore();
    store.failAfter(writes);
    const { steps, end } = await imported(store, linesFor(MANY));
    const last = `lines ${writes * 100 + 1} to ${Math.min(writes * 100 + 100, MANY.length)}`;
    expect(String(end)).toContain(`${last} were not written: OpenFGA is away`);
    store.failAfter(Infinity);
    expect((await imported(store, linesFor(MANY), steps.at(-1))).end).toBe(MANY.length);
    expect(store.all()).toHaveLength(MANY.length);
  });

  it('goes on with the same file mended behind where it stopped, and not with another', async () => {
    const text = linesFor(MANY);
    const { steps, end } = await imported(failingStore(), text.replace('user:u0120', ''));
    expect(String(end)).toContain('line 121 is no tuple');
    const from = steps.at(-1);
    expect(from?.lines).toBe(100);
    expect((await imported(failingStore(), text, from)).end).toBe(MANY.length);
    for (const other of [text.replace('user:u0020', 'user:other'), linesFor(MANY.slice(0, 50))]) {
      const store = failingStore();
      expect(String((await imported(store, other, from)).end)).toContain('it is another file');
      expect(store.all()).toEqual([]);
    }
  });

  it('takes a string with any character that JSON may hold, empty lines and CRLF', async () => {
    const odd = { ...MANY[0]!, condition: { name: 'c', context: { text: 'a\u2028b\u2029c\u0085d\ré' } } };
    const store = failingStore();
    const text = `\n${linesFor([odd, ...MANY.slice(1, 3)]).replaceAll('\n', '\r\n')}\n`;
    expect((await imported(store, text)).end).toBe(5);
    expect((await store.read({})).tuples[0]).toEqual(odd);
  });

  it.each([
    ['text', 'user:a viewer document:1'],
    ['a field too few', '{"user":"user:a","relation":"viewer"}'],
    ['a field too many', '{"user":"user:a","relation":"viewer","object":"document:1","until":1}'],
    [
      'one too many in the condition',
      '{"user":"user:a","relation":"viewer","object":"document:1","condition":{"name":"c","contxt":{}}}',
    ],
  ])('names the line of what is no tuple: %s', async (_what, line) => {
    const store = failingStore();
    const { end } = await imported(store, `${linesFor(MANY.slice(0, 2))}${line}\n`);
    expect(String(end)).toContain('line 3 is no tuple');
  });

  it('writes nothing in a dry run, which reads every line', async () => {
    const store = failingStore();
    expect((await imported(store, linesFor(MANY), undefined, true)).end).toBe(MANY.length);
    expect(store.all()).toEqual([]);
  });
});
