import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkPart, readPart, writePart, type Seal } from '../../cli/backup/file.ts';
import { newContentKey } from '../../cli/sealed/envelope.ts';

describe('a file of a backup', () => {
  let folder: string;
  let seal: Seal;
  let made = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-part-'));
    seal = { key: await newContentKey(), backup: '20261128021500' };
  });
  afterAll(() => rm(folder, { recursive: true }));
  const written = async (chunks: readonly Uint8Array[], by: Seal | null) => {
    const file = `part${(made += 1)}.dump`;
    const { bytes, sha256 } = await writePart(folder, file, by, async (put) => {
      for (const chunk of chunks) await put(chunk);
    });
    return { file, bytes, sha256 };
  };

  it('reads back as it was written, in the clear and encrypted, however its chunks fall', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 400 })),
        fc.boolean(),
        async (chunks, encrypted) => {
          const by = encrypted ? seal : null;
          const part = await written(chunks, by);
          await checkPart(folder, part);
          expect((await buffer(readPart(folder, part.file, by))).equals(Buffer.concat(chunks))).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('keeps parts of one size in memory, whatever the size of the file', async () => {
    const chunk = Buffer.alloc(64 * 1024, 7);
    const part = await written(
      Array.from({ length: 200 }, () => chunk),
      seal,
    );
    let largest = 0;
    let bytes = 0;
    for await (const each of readPart(folder, part.file, seal) as AsyncIterable<Buffer>) {
      largest = Math.max(largest, each.length);
      bytes += each.length;
    }
    expect(bytes).toBe(200 * chunk.length);
    expect(largest).toBeLessThan(512 * 1024);
    expect((await stat(join(folder, part.file))).mode & 0o777).toBe(0o600);
  });

  it('does not open under another name or in another backup', async () => {
    const { file } = await written([Buffer.from('rows')], seal);
    const elsewhere = readPart(folder, file, { ...seal, backup: '20261128021501' });
    await expect(buffer(elsewhere)).rejects.toThrow('was changed (part 1)');
  });

  it('is never written over', async () => {
    const { file } = await written([], null);
    await expect(writePart(folder, file, null, () => Promise.resolve())).rejects.toThrow();
  });
});
