import { askableOf, UnusableModel, type Askable } from '../../../../shared/ports/authorization-models.ts';
import { closest } from '../../../../shared/nearest.ts';
import type { Platform } from '../../../../shared/ports/platform.ts';
import { whyUnreadable } from '../../../../shared/system-errors.ts';
import { typeOf } from './object.ts';
import type { RelationAccess } from '../types.ts';

/** The authorization model that rules are checked against. */
export interface HeldModel {
  /** Its name in faults: a file, or the model of a store. */
  readonly name: string;
  readonly askable: Askable;
  /** Advice for when it is not the intended model. */
  readonly otherwise?: string;
}

/** A rule's check that the model can never answer with yes. */
export interface Lack {
  readonly of: 'type' | 'relation';
  readonly message: string;
}

/** Returns undefined when a user can hold the rule's relation. */
export function lackOf({ object, relation }: RelationAccess, model: HeldModel): Lack | undefined {
  const { name, askable, otherwise = '' } = model;
  const type = typeOf(object);
  const relations = askable.get(type);
  if (relations === undefined) {
    const types = [...askable].filter(([, { size }]) => size > 0).map(([each]) => each);
    return { of: 'type', message: `${name} has no type "${type}"${instead(type, types, otherwise)}` };
  }
  const held = relations.get(relation);
  if (held === undefined) {
    const guess = instead(relation, [...relations.keys()], otherwise);
    return { of: 'relation', message: `${name} has no relation "${relation}" on ${type}${guess}` };
  }
  if (held) return undefined;
  const users = askable.has('user') ? '' : ', which has no type "user"';
  return { of: 'relation', message: `no user can be ${relation} of ${type} by ${name}${users}` };
}

function instead(word: string, names: readonly string[], otherwise: string): string {
  const near = closest(word, names);
  if (near !== undefined) return `: did you mean "${near}"?`;
  return `: it has ${names.join(', ') || 'none'}${otherwise}`;
}

/** Where OPENFGA_MODEL leads. `optional`: no fault when it is not there. */
export interface ModelFile {
  readonly path: string;
  readonly optional: boolean;
}

/** Of OPENFGA_MODEL as it is written; null for `off`. */
export function modelFile(text: string | undefined): ModelFile | null {
  if (text === undefined) return { path: 'config/model.fga', optional: true };
  return text === 'off' ? null : { path: text, optional: false };
}

export interface ModelText {
  readonly path: string;
  readonly text: string;
}

/** Undefined where there is no model to check against: OPENFGA_MODEL=off, no default file, a runtime without a parser. Throws UnusableModel. */
export function readModel(
  file: ModelFile | null,
  { readText, parseModel }: Pick<Platform, 'readText' | 'parseModel'>,
): ModelText | undefined {
  if (file === null || parseModel === null) return undefined;
  const { path, optional } = file;
  try {
    return { path, text: readText(path) };
  } catch (error) {
    if (optional && error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new UnusableModel(`cannot be read: ${whyUnreadable(error)}`, { cause: error });
  }
}

/** Throws UnusableModel. */
export function holdBy(
  read: ModelText | undefined,
  { parseModel }: Pick<Platform, 'parseModel'>,
): HeldModel | undefined {
  if (read === undefined || parseModel === null) return undefined;
  try {
    const otherwise = ' (OPENFGA_MODEL names another model, or is off)';
    return { name: read.path, askable: askableOf(parseModel(read.text)), otherwise };
  } catch (error) {
    if (error instanceof UnusableModel)
      throw new UnusableModel(`${read.path} ${error.message}`, { cause: error });
    throw error;
  }
}
