import { closest } from '../nearest.ts';

/** process.env or Worker bindings: names and values, unchecked. */
export type RawEnvironment = Readonly<Record<string, unknown>>;

/** The variables that are set, well-formed or not. */
export type Written = Readonly<Record<string, string | undefined>>;

/** A variable that cannot be used, and what to write instead. Never its value: it may be a secret. */
export interface Fault {
  readonly variable: string;
  readonly problem: string;
}

/** Names of variables; each with an example, where its absence can be a fault. */
export type Known = ReadonlyMap<string, string | undefined>;

/** Names of several lists; an example of any of them counts. */
export function namesOf(lists: readonly Known[]): Known {
  const all = new Map<string, string | undefined>();
  for (const [name, example] of lists.flatMap((list) => [...list])) all.set(name, all.get(name) ?? example);
  return all;
}

/** The target that TARGET_<NAME>_URL names; undefined for any other variable. */
export function targetNamedBy(variable: string): string | undefined {
  return /^TARGET_([A-Z0-9_]+)_URL$/.exec(variable)?.[1]?.toLowerCase();
}

export const ISSUER_FIELDS = ['URL', 'AUDIENCE', 'CLIENT_ID', 'CLIENT_SECRET'] as const;
export type IssuerField = (typeof ISSUER_FIELDS)[number];

/** The NAME and the field of ISSUER_<NAME>_URL and its siblings; undefined for any other variable. */
export function issuerVariable(
  variable: string,
): { readonly name: string; readonly field: IssuerField } | undefined {
  for (const field of ISSUER_FIELDS) {
    const name = /^ISSUER_(.+)$/.exec(variable)?.[1];
    if (name?.endsWith(`_${field}`) === true) return { name: name.slice(0, -field.length - 1), field };
  }
  return undefined;
}

/** Extends faults of missing variables by an example and a likely misspelling. */
export function inFull(faults: readonly Fault[], raw: RawEnvironment, known: Known): Fault[] {
  return faults.map(({ variable, problem }) => {
    const hint = problem.startsWith('is missing') ? missingHint(variable, raw, known) : '';
    return { variable, problem: `${problem}${hint}` };
  });
}

/** Suffix of `NAME is missing`: an example, and the set variable that looks like a misspelling. */
export function missingHint(variable: string, raw: RawEnvironment, known: Known): string {
  const example = known.get(variable);
  const slips = Object.entries(raw).flatMap(([name, value]) =>
    isWritten(value) && nearestVariable(name, known) === variable ? [name] : [],
  );
  const shown = example === undefined ? '' : `, as in ${variable}=${example}`;
  return slips.length === 0 ? shown : `${shown}; ${slips.join(' and ')} is set: is that a slip of the name?`;
}

/** Warnings for set names that look like a misspelling of a variable. Never a value. */
export function misspelled(raw: RawEnvironment, known: Known): Fault[] {
  return Object.entries(raw).flatMap(([name, value]) => {
    const right = isWritten(value) ? nearestVariable(name, known) : undefined;
    return right === undefined ? [] : [{ variable: name, problem: `is not read: is ${right} meant?` }];
  });
}

function isWritten(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '';
}

/** The one binding that is configuration. */
const BINDING = 'HYPERDRIVE';
/** Shorter names have too many neighbours: HOST and PORT are one letter from POST and SORT. */
const SHORTEST = 8;

/**
 * The variable that a name misspells; undefined for variables and for names near none. Near are two edits (one in names under
 * twelve letters), another case, a missing underscore, singular for plural, and a missing last word.
 */
export function nearestVariable(name: string, known: Known): string | undefined {
  if (known.has(name) || name === BINDING || targetNamedBy(name) !== undefined) return undefined;
  if (issuerVariable(name) !== undefined) return undefined;
  const upper = name
    .toUpperCase()
    .replace(/^SALLYPORT_/, '')
    .replaceAll(/[-.]/g, '_');
  const ofMany = targetSlip(upper) ?? issuerSlip(upper);
  if (ofMany !== undefined || upper.length < SHORTEST - 1) return ofMany;
  const { candidates, byBare } = neighboursIn(known);
  return byBare.get(bare(upper)) ?? withoutLastWord(upper, candidates) ?? closest(upper, candidates);
}

interface Neighbours {
  readonly candidates: readonly string[];
  /** Without underscores, and singular. */
  readonly byBare: ReadonlyMap<string, string>;
}

const neighbours = new WeakMap<Known, Neighbours>();

/** Made once for a list: every command holds every variable that is set against it. */
function neighboursIn(known: Known): Neighbours {
  const made = neighbours.get(known);
  if (made !== undefined) return made;
  const candidates = [...known.keys(), BINDING].filter((each) => each.length >= SHORTEST);
  // Of several the first one.
  const byBare = new Map(candidates.toReversed().map((each) => [bare(each), each]));
  const fresh = { candidates, byBare };
  neighbours.set(known, fresh);
  return fresh;
}

/** TARGET_BILLING_URI, TARGETS_BILLING_URL, target_billing_url. */
function targetSlip(upper: string): string | undefined {
  const [, target] = /^TARGETS?_([A-Z0-9_]+)_(?:UR[IL]S?|ULR)$/.exec(upper) ?? [];
  return target === undefined ? undefined : `TARGET_${target}_URL`;
}

const FIELD_SLIPS: ReadonlyMap<string, string> = new Map([
  ...ISSUER_FIELDS.map((field): [string, string] => [bare(field), field]),
  ['AUD', 'AUDIENCE'],
  ['SECRET', 'CLIENT_SECRET'],
]);

/** ISSUER_CORP_CLIENTID, ISSUERS_CORP_URL, issuer_corp_url; ISSUER_URL, with the name missing. */
function issuerSlip(upper: string): string | undefined {
  const words = /^ISSUERS?_(.+)$/.exec(upper)?.[1]?.split('_') ?? [];
  for (const length of [2, 1]) {
    const last = words.slice(-length).join('_');
    const field = FIELD_SLIPS.get(bare(last)) ?? closest(last, ISSUER_FIELDS);
    if (field !== undefined) return `ISSUER_${words.slice(0, -length).join('_') || '<NAME>'}_${field}`;
  }
  return undefined;
}

/** ZITADEL_ISSUER for ZITADEL_ISSUER_URL; not where two match. */
function withoutLastWord(upper: string, candidates: readonly string[]): string | undefined {
  if (!upper.includes('_')) return undefined;
  const longer = candidates.filter((known) => known.slice(0, known.lastIndexOf('_')) === upper);
  return longer.length === 1 ? longer[0] : undefined;
}

function bare(name: string): string {
  return name.replaceAll('_', '').replace(/IES$/, 'Y');
}
