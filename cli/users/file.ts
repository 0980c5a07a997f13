import * as z from 'zod';
import { Failure } from '../failure.ts';
import { readText } from '../input.ts';
import { linesOf } from '../fga/lines.ts';

const Entry = z.looseObject({ user_id: z.uuid().transform((id) => id.toLowerCase()) });

/** Ids of the users that an export lists, each once. What else it holds is of the time of the export: the database decides. */
export async function readUserIds(file: string): Promise<ReadonlySet<string>> {
  const text = file === '-' ? await textOfStdin() : await readText(file);
  const entries = text.trimStart().startsWith('[') ? arrayOf(file, text) : linesIn(file, text);
  return new Set(
    entries.map((entry, at) => {
      const parsed = Entry.safeParse(entry);
      if (!parsed.success) throw new Failure(`${file}: entry ${at + 1} has no user_id that is a uuid`);
      return parsed.data.user_id;
    }),
  );
}

async function textOfStdin(): Promise<string> {
  const lines: string[] = [];
  for await (const line of linesOf('-')) lines.push(line);
  return lines.join('\n');
}

function arrayOf(file: string, text: string): readonly unknown[] {
  const parsed = z.array(z.unknown()).safeParse(jsonOf(file, text));
  if (!parsed.success) throw new Failure(`${file} is no list of users`);
  return parsed.data;
}

function linesIn(file: string, text: string): readonly unknown[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, at) => jsonOf(`${file}, line ${at + 1},`, line));
}

function jsonOf(where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(`${where} is no JSON: write what \`sallyport users export\` wrote`, { cause: error });
  }
}
