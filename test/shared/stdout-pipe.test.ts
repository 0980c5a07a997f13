import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundle, launching } from '../support/bundled.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-pipe-'));
  const from = fileURLToPath(new URL('.', import.meta.url));
  await bundle({ folder, name: 'child', source: "import './stdout-pipe.child.ts';", from });
});
afterAll(() => rm(folder, { recursive: true }));

it('a reader of a real pipe that is quicker than the log gets every line, in order', async () => {
  const read = join(folder, 'read');
  // A reader of its own: this process is busy with other things.
  const command = ['-c', '"$@" | cat > "$0"', read, process.execPath, ...launching(folder, 'child')];
  const child = spawn('sh', command, { stdio: ['ignore', 'ignore', 'pipe'] });
  let dropped = '';
  child.stderr.on('data', (chunk: Buffer) => (dropped += chunk.toString()));
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(dropped).toBe('0');
  const numbers = (await readFile(read, 'latin1'))
    .trim()
    .split('\n')
    .map((line) => Number(line.split(' ')[0]));
  expect(numbers).toEqual([...Array(20_000).keys()]);
});
