import type { Reference } from '../model/references.ts';
import type { TupleView } from '../storage/tuple-view.ts';
import { isUserset, splitUserset, typeOf } from '../tuple.ts';
import type { Outcome } from './outcome.ts';

/** A relation whose only way to other objects is back to itself: nested groups, folders in folders. */
export interface Climb {
  readonly view: TupleView;
  readonly object: string;
  readonly relation: string;
  readonly by: NonNullable<Reference['hop']>;
  readonly depth: number;
  readonly maxDepth: number;
  /** Whether the user holds the relation on this object by itself, recursion left aside. */
  readonly holds: (object: string) => boolean;
  /** For a userset the real server follows paths: a level earlier to its bound, without looking who is there. */
  readonly forUserset: boolean;
}

/**
 * Walks such a recursion level by level, meeting each object once, where following every path would take forever in
 * groups that hold each other. Too deep is only an answer when there is somebody to be found deeper down.
 */
export function climb(start: Climb): Outcome {
  if (start.holds(start.object)) return 'allowed';
  const met = new Set([start.object]);
  let level = above(start, [start.object], met);
  const first = start.depth + (start.forUserset ? 1 : 0);
  for (let depth = first; level.length > 0; depth += 1) {
    if (depth < start.maxDepth && level.some(start.holds)) return 'allowed';
    if (depth + 1 >= start.maxDepth) return beyond(start);
    level = above(start, level, met);
  }
  return 'denied';
}

function above(start: Climb, level: readonly string[], met: Set<string>): readonly string[] {
  const found = level.flatMap((object) => linksOf(start, object)).filter((object) => !met.has(object));
  for (const object of found) met.add(object);
  return [...new Set(found)];
}

function linksOf({ view, relation, by }: Climb, object: string): readonly string[] {
  const users = [...view.usersOf(object, by.kind === 'parent' ? by.tupleset : relation)];
  if (by.kind === 'parent') return users.filter((user) => typeOf(user) === typeOf(object));
  return users.filter(isUserset).map((userset) => splitUserset(userset).object);
}

function beyond({ view, object, holds, forUserset }: Climb): Outcome {
  const someone = [...view.objects()].some((other) => typeOf(other) === typeOf(object) && holds(other));
  return someone || forUserset ? 'too_deep' : 'denied';
}
