import { rewriteSchema, type AuthorizationModel } from '../../shared/ports/authorization-models.ts';
import type { Relations } from '../../shared/ports/relations.ts';
import { isPrintable } from '../../shared/identity/subjects.ts';
import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';
import { UsageError } from '../failure.ts';

/** OpenFGA's answer on a user, and the reason. */
export interface Verdict {
  readonly user: string;
  readonly allowed: boolean;
  /** From the user to the rule's relation; several where the model requires several at once. */
  readonly chains: readonly (readonly string[])[];
  /** What is missing on each path of the model. */
  readonly lacks: readonly string[];
}

export interface WhoDeps {
  readonly relations: Pick<Relations, 'check'>;
  readonly tuples: Pick<Tuples, 'read'>;
  readonly model: AuthorizationModel;
}

/** The OpenFGA user of a subject, as in the gateway; `user:…` is taken verbatim. Throws UsageError. */
export function userNamed(subject: string, issuer: string, shared: readonly string[]): string {
  const [given, bare] = subject.startsWith('user:') ? [subject, subject.slice(5)] : [undefined, subject];
  if (!isPrintable(bare) || bare === '*')
    throw new UsageError('--user takes the sub of a token, or user:… as the log writes it');
  return given ?? (shared.includes(issuer) ? `user:${subject}` : `user:${issuer}|${subject}`);
}

/** Whose subjects are meant where no issuer is named. */
export function usualIssuer(variables: Readonly<Record<string, string | undefined>>): string {
  const isSet = (name: string): boolean => (variables[name] ?? '').trim() !== '';
  return isSet('KANIDM_ISSUER_URL') && !isSet('ZITADEL_ISSUER_URL') ? 'kanidm' : 'zitadel';
}

/** Checks with OpenFGA, then searches its tuples for the reason. The verdict is OpenFGA's alone. Throws RelationsUnavailable. */
export async function whoMay(
  user: string,
  relation: string,
  object: string,
  deps: WhoDeps,
): Promise<Verdict> {
  const allowed = await deps.relations.check({ user, relation, object, consistency: 'fresh' });
  const search = new Search(user, deps);
  const { chains, lacks } = await search.look(object, relation, new Set());
  return { user, allowed, chains: allowed ? chains : [], lacks: allowed ? [] : [...new Set(lacks)] };
}

interface Found {
  /** Empty when no path was found. */
  readonly chains: readonly (readonly string[])[];
  readonly lacks: readonly string[];
}

/** Pages per search: a role with a hundred thousand members is not read to its end. */
const MOST_READS = 200;

/** One walk from the rule's relation down to the user, along the model and the tuples. */
class Search {
  private readonly user: string;
  private readonly deps: WhoDeps;
  private reads = 0;

  constructor(user: string, deps: WhoDeps) {
    this.user = user;
    this.deps = deps;
  }

  async look(object: string, relation: string, within: ReadonlySet<string>): Promise<Found> {
    const key = `${object}#${relation}`;
    if (within.has(key)) return { chains: [], lacks: [] };
    const type = object.slice(0, object.indexOf(':'));
    const definition = this.deps.model.type_definitions.find((each) => each.type === type);
    return this.way(definition?.relations?.[relation], object, relation, new Set([...within, key]));
  }

  private async way(
    node: unknown,
    object: string,
    relation: string,
    within: ReadonlySet<string>,
  ): Promise<Found> {
    const parsed = rewriteSchema.safeParse(node);
    if (!parsed.success) return { chains: [], lacks: [`the model has no ${relation} of ${object}`] };
    const { computedUserset, tupleToUserset, union, intersection, difference } = parsed.data;
    const step = `${relation} of ${object}`;
    if (parsed.data.this !== undefined) return this.direct(object, relation, within);
    if (computedUserset !== undefined)
      return append(await this.look(object, computedUserset.relation, within), step);
    if (tupleToUserset !== undefined) {
      const { tupleset, computedUserset: wanted } = tupleToUserset;
      const parents = await this.read({ object, relation: tupleset.relation });
      if (parents.length === 0) return { chains: [], lacks: [`${object} has no ${tupleset.relation}`] };
      const via = (parent: string) => `${step}, whose ${tupleset.relation} is ${parent}`;
      return this.first(parents, async (parent) =>
        append(await this.look(parent.user, wanted.relation, within), via(parent.user)),
      );
    }
    const below = (child: unknown) => this.way(child, object, relation, within);
    if (union !== undefined) return this.first(union.child, below);
    if (intersection !== undefined) {
      const all: Found[] = [];
      for (const child of intersection.child) all.push(await below(child));
      const missing = all.filter(({ chains }) => chains.length === 0);
      if (missing.length > 0) return { chains: [], lacks: missing.flatMap(({ lacks }) => lacks) };
      return { chains: all.flatMap(({ chains }) => chains), lacks: [] };
    }
    if (difference === undefined) return { chains: [], lacks: [] };
    const base = await below(difference.base);
    if (base.chains.length === 0) return base;
    const taken = await below(difference.subtract);
    const [by] = taken.chains;
    if (by === undefined) return base;
    const reason = by.filter((each) => each !== step).join(' -> ');
    return { chains: [], lacks: [`${step} is taken away: ${reason}`] };
  }

  private async direct(object: string, relation: string, within: ReadonlySet<string>): Promise<Found> {
    const step = `${relation} of ${object}`;
    for (const user of [this.user, 'user:*']) {
      const [tuple] = await this.read({ user, relation, object });
      if (tuple !== undefined) return { chains: [[user, step + conditionOf(tuple)]], lacks: [] };
    }
    const groups = (await this.read({ object, relation })).filter(({ user }) => user.includes('#'));
    const found = await this.first(groups, async (tuple) => {
      const [group = '', member = ''] = tuple.user.split('#');
      const inside = await this.look(group, member, within);
      const lacks = inside.lacks.map((lack) => `${tuple.user} is ${step}, but ${lack}`);
      return append({ chains: inside.chains, lacks }, step + conditionOf(tuple));
    });
    if (found.chains.length > 0) return found;
    return { chains: [], lacks: [`${this.user} is not ${step}`, ...found.lacks] };
  }

  /** The first path to the user; else what all of them lack. */
  private async first<T>(ways: readonly T[], look: (way: T) => Promise<Found>): Promise<Found> {
    const lacks: string[] = [];
    for (const way of ways) {
      const found = await look(way);
      if (found.chains.length > 0) return found;
      lacks.push(...found.lacks);
    }
    return { chains: [], lacks };
  }

  private async read(filter: Parameters<Tuples['read']>[0]): Promise<Tuple[]> {
    const tuples: Tuple[] = [];
    let next: string | undefined;
    do {
      if ((this.reads += 1) > MOST_READS) return tuples;
      const page = await this.deps.tuples.read(filter, next);
      tuples.push(...page.tuples);
      ({ next } = page);
    } while (next !== undefined);
    return tuples;
  }
}

function append({ chains, lacks }: Found, step: string): Found {
  return { chains: chains.map((chain) => [...chain, step]), lacks };
}

function conditionOf({ condition }: Tuple): string {
  return condition === undefined ? '' : ` (under the condition ${condition.name})`;
}
