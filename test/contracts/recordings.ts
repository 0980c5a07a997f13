import { existsSync, readFileSync } from 'node:fs';
import * as z from 'zod';

/** Exchanges with real servers, which lie beside the repository where they are at hand. */
const FOLDER = new URL('../../../shared/recordings/', import.meta.url);

export const recordingsMissing = !existsSync(FOLDER);

const Line = z.looseObject({
  note: z.string().optional(),
  request: z.looseObject({ method: z.string(), path: z.string() }).optional(),
  response: z.looseObject({ status: z.number(), body: z.unknown().optional() }).optional(),
  delivery: z.literal(true).optional(),
  body: z.unknown().optional(),
});
export type Recorded = z.output<typeof Line>;

/** One a line; those that were cut off are left out. */
export function recorded(file: string): readonly Recorded[] {
  return readFileSync(new URL(file, FOLDER), 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        const parsed = Line.safeParse(JSON.parse(line));
        return parsed.success ? [parsed.data] : [];
      } catch {
        return [];
      }
    });
}
