import * as z from 'zod';
import type { AuthorizationModel } from '../ports/authorization-models.ts';
import { inFull, namesOf, type Fault, type Known, type RawEnvironment, type Written } from './names.ts';

export type { Fault, RawEnvironment, Written } from './names.ts';

export type Runtime = 'node' | 'workers';

/** Input of a slice. */
export interface Given {
  readonly written: Written;
  /** Includes a Worker's bindings that are no text. */
  readonly raw: RawEnvironment;
  readonly runtime: Runtime;
}

/** Access to texts that variables name. */
export interface Files {
  readonly runtime: Runtime;
  /** Throws when it cannot be read. */
  readText(path: string): string;
  /** Every text below a folder, by its path there with `/`; none where there is no such folder. */
  readFolder(path: string): ReadonlyMap<string, string>;
  readonly parseModel: ((text: string) => AuthorizationModel) | null;
}

/** Definition of one part of the configuration: its variables, their faults, and the result. */
export interface Definition<Shape extends z.ZodRawShape, Part> {
  readonly variables: Shape;
  /** Examples, for variables whose absence can be a fault. */
  readonly examples?: Readonly<Partial<Record<keyof Shape & string, string | undefined>>>;
  /** Faults of variables in combination; those of a single one come from its shape. */
  faults?(given: Given): readonly Fault[];
  /** Faults of texts that variables hold or name. `faults`: those of all variables, of other slices too. */
  texts?(given: Given, files: Files, faults: readonly Fault[]): readonly Fault[];
  read(variables: z.output<z.ZodObject<Shape>>, given: Given): Part;
  /** Usable, but perhaps unintended settings. */
  warnings?(part: Part, given: Given): readonly Fault[];
}

interface Checked<Part> {
  readonly faults: readonly Fault[];
  texts(files: Files, faults: readonly Fault[]): readonly Fault[];
  /** Undefined where a variable has a fault. */
  read(): { readonly part: Part; readonly warnings: readonly Fault[] } | undefined;
}

/** A part of the configuration: a composition of slices requires their variables and no other. */
export interface Slice<Part extends object> {
  readonly variables: Known;
  check(given: Given): Checked<Part>;
  and<More extends object>(other: Slice<More>): Slice<Part & More>;
  join<More extends object, Both extends object>(
    other: Slice<More>,
    both: (part: Part, more: More) => Both,
  ): Slice<Both>;
  map<To extends object>(to: (part: Part) => To): Slice<To>;
}

/** The result type of a slice. */
export type PartOf<S> = S extends Slice<infer Part> ? Part : never;

export function slice<Shape extends z.ZodRawShape, Part extends object>(
  definition: Definition<Shape, Part>,
): Slice<Part> {
  const { variables, examples } = definition;
  const shape = z.object(variables);
  const known = Object.keys(variables).map((name): [string, string | undefined] => [name, examples?.[name]]);
  return sliceOf(new Map(known), (given) => {
    const parsed = shape.safeParse(given.written, { reportInput: true });
    const misshapen = parsed.success ? [] : toFaults(parsed.error);
    return {
      faults: [...misshapen, ...(definition.faults?.(given) ?? [])],
      texts: (files, faults) => definition.texts?.(given, files, faults) ?? [],
      read() {
        if (!parsed.success) return undefined;
        const part = definition.read(parsed.data, given);
        return { part, warnings: definition.warnings?.(part, given) ?? [] };
      },
    };
  });
}

function sliceOf<Part extends object>(variables: Known, check: Slice<Part>['check']): Slice<Part> {
  const join: Slice<Part>['join'] = (other, both) =>
    sliceOf(namesOf([variables, other.variables]), (given) => {
      const [one, two] = [check(given), other.check(given)];
      return {
        faults: [...one.faults, ...two.faults],
        texts: (files, faults) => [...one.texts(files, faults), ...two.texts(files, faults)],
        read() {
          const [a, b] = [one.read(), two.read()];
          if (a === undefined || b === undefined) return undefined;
          return { part: both(a.part, b.part), warnings: [...a.warnings, ...b.warnings] };
        },
      };
    });
  return {
    variables,
    check,
    join,
    and: (other) => join(other, (part, more) => ({ ...part, ...more })),
    map: (to) =>
      sliceOf(variables, (given) => {
        const checked = check(given);
        return {
          ...checked,
          read() {
            const one = checked.read();
            return one && { part: to(one.part), warnings: one.warnings };
          },
        };
      }),
  };
}

/** A slice that is read where a condition holds; elsewhere its variables are known by name, and the result is `off`. */
export function when<Part extends object>(
  holds: (given: Given) => boolean,
  on: Slice<Part>,
  off: Part,
): Slice<Part> {
  const skipped: Checked<Part> = {
    faults: [],
    texts: () => [],
    read: () => ({ part: off, warnings: [] }),
  };
  return sliceOf(on.variables, (given) => (holds(given) ? on.check(given) : skipped));
}

function toFaults(error: z.ZodError): Fault[] {
  return error.issues.map((issue) => {
    const variable = String(issue.path[0] ?? '');
    const absent = issue.code === 'invalid_type' && issue.input === undefined;
    return { variable, problem: absent ? 'is missing: set it' : issue.message };
  });
}

/** A configuration with faults, all of them. */
export class UnusableConfiguration extends Error {
  override readonly name = 'UnusableConfiguration';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`unusable configuration:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

export type Configured<Part> = (
  | { readonly ok: true; readonly config: Part; readonly warnings: readonly Fault[] }
  | { readonly ok: false; readonly faults: readonly Fault[] }
) & {
  /** Faults of texts, whatever the faults of variables, so that all faults of a configuration are found together. */
  texts(files: Files): readonly Fault[];
};

/**
 * The only way from raw variables to a checked configuration. All faults are collected before any is reported,
 * and an absent security setting is a fault: it never weakens a check. `known`: names that are no misspellings.
 */
export function configure<Part extends object>(
  slice: Slice<Part>,
  raw: RawEnvironment,
  runtime: Runtime,
  known: Known = slice.variables,
): Configured<Part> {
  const checked = slice.check({ written: writtenIn(raw), raw, runtime });
  const faults = distinct(checked.faults);
  const texts = (files: Files): readonly Fault[] => checked.texts(files, faults);
  const read = faults.length === 0 ? checked.read() : undefined;
  if (read === undefined) return { ok: false, faults: inFull(faults, raw, known), texts };
  return { ok: true, config: read.part, warnings: distinct(read.warnings), texts };
}

/**
 * The set variables, well-formed or not. An empty variable counts as absent, as Kubernetes and .env files leave out a
 * setting. White space around a value is an artefact of its file.
 */
export function writtenIn(raw: RawEnvironment): Written {
  return Object.fromEntries(
    Object.entries(raw).flatMap(([name, value]) =>
      typeof value === 'string' && value.trim() !== '' ? [[name, value.trim()]] : [],
    ),
  );
}

/** Several entries of one list may have the same fault, and slices may share a variable. */
function distinct(faults: readonly Fault[]): Fault[] {
  return [...new Map(faults.map((fault) => [`${fault.variable} ${fault.problem}`, fault])).values()];
}

/** For `Definition.faults`: the faults whose condition is true. */
export function broken(...faults: readonly (readonly [boolean, string, string])[]): Fault[] {
  return faults.flatMap(([is, variable, problem]) => (is ? [{ variable, problem }] : []));
}

/** The fault of a pair of variables of which only one is set. */
export function halfOf(written: Written, first: string, second: string): Fault[] {
  if ((written[first] === undefined) === (written[second] === undefined)) return [];
  const missing = written[first] === undefined ? first : second;
  return [{ variable: missing, problem: `is missing: ${first} and ${second} go together` }];
}
