import { text as textOf } from 'node:stream/consumers';
import {
  authorizationModelSchema,
  type AuthorizationModel,
} from '../../shared/ports/authorization-models.ts';
import type { Tuples } from '../../shared/ports/tuples.ts';
import { Failure } from '../failure.ts';
import { importLines } from '../fga/import.ts';
import { splitLines } from '../fga/lines.ts';
import { readPart, type Seal, type Stored } from './file.ts';

export interface RelationsText {
  readonly model: AuthorizationModel;
  /** A tuple each, as `fga tuples import` reads them. */
  readonly lines: AsyncGenerator<string>;
}

/** The model of the first line, and the rest as it comes. Throws Failure. */
export async function openRelations(folder: string, part: Stored, seal: Seal | null): Promise<RelationsText> {
  const lines = splitLines(readPart(folder, part.file, seal).setEncoding('utf8') as AsyncIterable<string>);
  const first = await lines.next();
  try {
    const { model } = JSON.parse(first.done === true ? '' : first.value) as { model: unknown };
    return { model: authorizationModelSchema.parse(model), lines };
  } catch (error) {
    throw new Failure(`${part.file} does not begin with a model`, { cause: error });
  }
}

/** Throws Failure where a line is no tuple, or their number is not that of the manifest. */
export async function checkRelations(
  folder: string,
  part: Stored & { readonly tuples: number },
  seal: Seal | null,
): Promise<void> {
  const { lines } = await openRelations(folder, part, seal);
  const none: Pick<Tuples, 'write'> = { write: () => Promise.resolve() };
  const found = await importLines(none, lines, {
    from: undefined,
    dryRun: true,
    onWritten: () => Promise.resolve(),
  });
  if (found !== part.tuples)
    throw new Failure(`${part.file} has ${found} tuples, and the manifest says ${part.tuples}`);
}

/** The text of a part. Throws Failure where it is no JSON. */
export async function checkText(folder: string, part: Stored, seal: Seal | null): Promise<string> {
  const content = await textOf(readPart(folder, part.file, seal));
  try {
    JSON.parse(content);
    return content;
  } catch (error) {
    throw new Failure(`${part.file} is no JSON`, { cause: error });
  }
}
