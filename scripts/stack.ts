import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { buildWorker } from '../bench/worker-bundle.ts';

/** `index.js:12:3456` of a stack as `shared/problem.ts:12:3`; positions outside the map stay. */
export function places(stack: string, map: SourceMap, folder: string): string {
  return stack.replace(/[\w./:-]*index\.js:(\d+):(\d+)/g, (place, line: string, column: string) => {
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in entry)) return place;
    const { originalSource, originalLine, originalColumn } = entry;
    return `${relative('.', resolve(folder, originalSource))}:${originalLine + 1}:${originalColumn + 1}`;
  });
}

export async function mapOf(folder: string): Promise<SourceMap> {
  return new SourceMap(
    JSON.parse(await readFile(join(folder, 'index.js.map'), 'utf8')) as SourceMap['payload'],
  );
}

/** Maps a line of a Worker's log from stdin to stdout; at the deployed commit, since the bundle is rebuilt for its map. */
async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-stack-'));
  try {
    await buildWorker(folder);
    console.log(places(await text(process.stdin), await mapOf(folder), folder));
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
