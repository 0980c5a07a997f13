import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';

/** A frame of V8: its file, its line and its column, from 1. */
const FRAME = /(file:\/\/[^\s()]+):(\d+):(\d+)/g;

/**
 * A stack with the places of the sources instead of those of a bundle, where its map lies beside it. Node would do that by itself
 * with --enable-source-maps, which reads every map before a command begins.
 */
export function inSources(stack: string): string {
  const maps = new Map<string, SourceMap | null>();
  return stack.replaceAll(FRAME, (frame, url: string, line: string, column: string) => {
    const file = fileURLToPath(url);
    const map = maps.get(file) ?? mapOf(file);
    maps.set(file, map);
    const entry = map?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return frame;
    const source = relative(process.cwd(), resolve(dirname(file), entry.originalSource));
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

/** Source map, ECMA-426 §8. */
const Payload = z.object({
  file: z.string().default(''),
  version: z.number(),
  sources: z.array(z.string()),
  sourcesContent: z.array(z.string()).default([]),
  names: z.array(z.string()),
  mappings: z.string(),
  sourceRoot: z.string().default(''),
});

function mapOf(file: string): SourceMap | null {
  try {
    return new SourceMap(Payload.parse(JSON.parse(readFileSync(`${file}.map`, 'utf8'))));
  } catch {
    return null;
  }
}
