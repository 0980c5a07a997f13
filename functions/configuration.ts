import { misspelled } from '../shared/configuration/names.ts';
import {
  configure,
  slice,
  writtenIn,
  type Configured,
  type Fault,
  type Files,
  type PartOf,
  type RawEnvironment,
  type Runtime,
  type Slice,
} from '../shared/configuration/slice.ts';
import type { Deps } from '../shared/deps.ts';
import type { AsCaller } from '../shared/edge/caller.ts';
import { starting, type Brought, type EdgeFunction, type Started } from '../shared/edge/function.ts';
import { createAnalytics } from './analytics/function.ts';
import { ANALYTICS } from './analytics/slice.ts';
import { createAuth } from './auth/function.ts';
import { AUTH } from './auth/slice.ts';
import { createInvites } from './invites/function.ts';
import { INVITES } from './invites/slice.ts';
import type { Outbox } from '../shared/mail/outbox.ts';
import {
  BUNDLE,
  FURTHER,
  functionsOn,
  functionsSlice,
  furtherOn,
  variablesOf,
  type Further,
} from './catalogue.ts';

/** Dependencies of a function of FUNCTIONS, beside its slice. */
export interface FurtherDeps extends Deps {
  /** Invalidates this instance's cache entries of an OpenFGA user, in all its processes. */
  readonly forget: (user: string) => void;
  /** Null where nothing is sent. */
  readonly outbox: Outbox | null;
  /** To be called after an account was linked: what the account was given in OpenFGA follows it to its user. */
  readonly linked: () => void;
  /** Serves a route as its caller, by the tokens and cookies that the gateway takes. */
  readonly asCaller: AsCaller;
}

export interface Catalogue {
  readonly further: Further;
  /** The start of each. */
  readonly starts: Readonly<Record<string, Started<FurtherDeps>>>;
}

export const CATALOGUE: Catalogue = {
  further: FURTHER,
  starts: {
    auth: starting(AUTH, createAuth),
    invites: starting(INVITES, createInvites),
    analytics: starting(ANALYTICS, createAnalytics),
  },
};

export type Config = PartOf<typeof BUNDLE> & {
  /** All enabled functions. */
  readonly functions: readonly EdgeFunction[];
  /** Starts of the enabled functions of FUNCTIONS. */
  readonly starts: readonly ((deps: FurtherDeps) => Brought)[];
  /** Cron patterns of disabled functions. */
  readonly idle: readonly string[];
};

/** Parses the whole bundle's configuration from raw variables. */
export function parseEnvironment(
  raw: RawEnvironment,
  runtime: Runtime,
  { further, starts }: Catalogue = CATALOGUE,
): Configured<Config> {
  const written = writtenIn(raw);
  const functions = functionsOn(written, further);
  const off = Object.values(further).filter((each) => !functions.includes(each));
  const idle = off.flatMap(({ schedule = {} }) => Object.values(schedule));
  const whole = BUNDLE.and(functionsSlice(further))
    .and(startsOf(furtherOn(written, starts)))
    .map((config) => ({ ...config, functions, idle }));
  const known = variablesOf(further);
  const parsed = configure(whole, raw, runtime, known);
  const slips = misspelled(raw, known);
  if (parsed.ok) return { ...parsed, warnings: [...slips, ...parsed.warnings] };
  const { faults } = parsed;
  const unsaid = slips.filter(({ variable }) => !faults.some(({ problem }) => problem.includes(variable)));
  return { ...parsed, faults: [...faults, ...unsaid] };
}

const NOTHING: Slice<Pick<Config, 'starts'>> = slice({ variables: {}, read: () => ({ starts: [] }) });

function startsOf(further: readonly Started<FurtherDeps>[]): typeof NOTHING {
  return further.reduce(
    (all, one) => all.join(one, ({ starts }, { start }) => ({ starts: [...starts, start] })),
    NOTHING,
  );
}

export type Opened<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly string[] };

/**
 * Opens a bundle from raw variables, or lists every fault of them and of the texts they name. Without faults only `open`
 * compiles the texts: compiling is most of a start, and is repeated only to find faults.
 */
export function openConfigured<T>(
  raw: RawEnvironment,
  files: Files,
  open: (config: Config, warnings: readonly Fault[]) => T,
  catalogue: Catalogue = CATALOGUE,
): Opened<T> {
  const parsed = parseEnvironment(raw, files.runtime, catalogue);
  if (!parsed.ok) return unusable([...parsed.faults, ...parsed.texts(files)]);
  try {
    return { ok: true, value: open(parsed.config, parsed.warnings) };
  } catch (error) {
    const faults = parsed.texts(files);
    if (faults.length === 0) throw error;
    return unusable(faults);
  }
}

function unusable(faults: readonly Fault[]): Opened<never> {
  return { ok: false, faults: faults.map(({ variable, problem }) => `${variable} ${problem}`) };
}
