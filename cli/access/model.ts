import * as z from 'zod';
import { rewriteSchema, type AuthorizationModel } from '../../shared/ports/authorization-models.ts';

/**
 * A relation of a type that follows from another one. `sure`: without a further condition; otherwise only a check of OpenFGA decides,
 * because an intersection needs more or an exclusion takes it away.
 */
interface Brought {
  readonly relation: string;
  readonly sure: boolean;
}

/** A tuple of `relation` to an object of `type` carries on. */
interface Carried extends Brought {
  readonly type: string;
  /** Relation of that tuple. */
  readonly by: string;
}

/** An authorization model, read from what is held to what it brings. */
export interface Upward {
  /** Types of objects that tuples can be about. */
  readonly types: readonly string[];
  /** Whether a tuple with this user means anything; undefined: the model has no such tuple. */
  direct(type: string, relation: string, user: string): { readonly sure: boolean } | undefined;
  /** The relation itself, and every one computed from it on the same object. */
  closure(type: string, relation: string): readonly Brought[];
  /** Tuples whose user is the object that is held something of: parents of a `from`. */
  parents(type: string, relation: string): readonly Carried[];
  /** Tuples whose user is the userset `object#relation`. */
  usersets(type: string, relation: string): readonly Carried[];
}

const metadata = z.object({
  relations: z
    .record(
      z.string(),
      z
        .object({
          directly_related_user_types: z
            .array(
              z
                .object({ type: z.string(), relation: z.string().nullish(), wildcard: z.unknown() })
                .partial({ wildcard: true }),
            )
            .nullish(),
        })
        .nullish(),
    )
    .nullish(),
});

type Leaf =
  | { readonly kind: 'this'; readonly sure: boolean }
  | { readonly kind: 'computed'; readonly of: string; readonly sure: boolean }
  | { readonly kind: 'from'; readonly of: string; readonly tupleset: string; readonly sure: boolean };

export function upwardOf(model: AuthorizationModel): Upward {
  const computed = new Map<string, Brought[]>();
  const parents = new Map<string, Carried[]>();
  const usersets = new Map<string, Carried[]>();
  const direct = new Map<string, boolean>();
  for (const { type, relations, metadata: details } of model.type_definitions) {
    const allowed = assignable(details);
    for (const [relation, rewrite] of Object.entries(relations ?? {}))
      for (const leaf of leavesOf(rewrite, true)) {
        const { sure } = leaf;
        if (leaf.kind === 'computed') push(computed, `${type}#${leaf.of}`, { relation, sure });
        if (leaf.kind === 'from')
          for (const each of allowed(leaf.tupleset))
            push(parents, `${each.type}#${leaf.of}`, { type, by: leaf.tupleset, relation, sure });
        if (leaf.kind !== 'this') continue;
        for (const each of allowed(relation)) {
          const key = `${type}#${relation} ${each.type}${each.wildcard ? ':*' : ''}`;
          if (each.relation === '') direct.set(key, sure || direct.get(key) === true);
          else push(usersets, `${each.type}#${each.relation}`, { type, by: relation, relation, sure });
        }
      }
  }
  const none: readonly never[] = [];
  return {
    types: model.type_definitions.flatMap(({ type, relations }) =>
      Object.keys(relations ?? {}).length > 0 ? [type] : [],
    ),
    direct(type, relation, user) {
      const sure = direct.get(
        `${type}#${relation} ${user.endsWith(':*') ? user : user.slice(0, user.indexOf(':'))}`,
      );
      return sure === undefined ? undefined : { sure };
    },
    closure: (type, relation) => closure(computed, type, relation),
    parents: (type, relation) => parents.get(`${type}#${relation}`) ?? none,
    usersets: (type, relation) => usersets.get(`${type}#${relation}`) ?? none,
  };
}

function closure(
  computed: ReadonlyMap<string, readonly Brought[]>,
  type: string,
  relation: string,
): Brought[] {
  const found = new Map([[relation, true]]);
  // A Map also visits what is added, and what is set anew when a surer way is found.
  for (const [from, sure] of found)
    for (const each of computed.get(`${type}#${from}`) ?? []) {
      const surely = sure && each.sure;
      const before = found.get(each.relation);
      if (before === true || before === surely) continue;
      found.delete(each.relation);
      found.set(each.relation, surely);
    }
  return [...found].map(([name, sure]) => ({ relation: name, sure }));
}

/** What of a rewrite gives, not what it takes away. */
function leavesOf(node: unknown, sure: boolean): Leaf[] {
  const parsed = rewriteSchema.safeParse(node).data;
  if (parsed === undefined) return [];
  const { computedUserset, tupleToUserset, union, intersection, difference } = parsed;
  if (parsed.this !== undefined) return [{ kind: 'this', sure }];
  if (computedUserset !== undefined) return [{ kind: 'computed', of: computedUserset.relation, sure }];
  if (tupleToUserset !== undefined) {
    const { computedUserset: of, tupleset } = tupleToUserset;
    return [{ kind: 'from', of: of.relation, tupleset: tupleset.relation, sure }];
  }
  if (union !== undefined) return union.child.flatMap((child) => leavesOf(child, sure));
  if (intersection !== undefined) return intersection.child.flatMap((child) => leavesOf(child, false));
  return difference === undefined ? [] : leavesOf(difference.base, false);
}

interface UserType {
  readonly type: string;
  /** Empty: the object itself. */
  readonly relation: string;
  readonly wildcard: boolean;
}

function assignable(details: unknown): (relation: string) => readonly UserType[] {
  const { relations } = metadata.safeParse(details).data ?? {};
  return (relation) =>
    (relations?.[relation]?.directly_related_user_types ?? []).map((each) => ({
      type: each.type,
      relation: each.relation ?? '',
      wildcard: each.wildcard !== undefined && each.wildcard !== null,
    }));
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
