import type { Slice } from '../configuration/slice.ts';
import type { MaybePromise } from '../ports/runtime.ts';
import type { Job } from '../runs/job.ts';
import type { OwnRoute } from './frame.ts';
import type { ReadinessCheck } from './readiness.ts';

/** The declaration of an edge function. */
export interface EdgeFunction {
  /** Equals its folder. */
  readonly name: string;
  /** Paths answered before any access rule: exact ones, or prefixes that end with a slash. */
  readonly paths: readonly string[];
  /** Its regular jobs, each with its cron pattern (UTC); absent: none. Several jobs may have one pattern. */
  readonly schedule?: Readonly<Record<string, string>>;
  /** Its own variables. */
  readonly slice: Slice<object>;
}

/** A function's parts in a running bundle; absent ones do not exist. */
export interface Brought {
  /** Within its `paths`. */
  readonly routes?: readonly OwnRoute[];
  readonly checks?: readonly ReadinessCheck[];
  /** By the names of its `schedule`. */
  readonly jobs?: Readonly<Record<string, Job>>;
  close?(): MaybePromise<void>;
}

/** Slice of a function that FUNCTIONS turns on; its configuration starts it. */
export type Started<Deps> = Slice<{ readonly start: (deps: Deps) => Brought }>;

export function starting<Part extends object, Deps>(
  { slice }: { readonly slice: Slice<Part> },
  create: (deps: Deps, config: Part) => Brought,
): Started<Deps> {
  return slice.map((config) => ({ start: (deps: Deps) => create(deps, config) }));
}

/** The paths that functions answer, beyond access rules. */
export interface OwnPaths {
  /** Whether a raw, unjudged request target is one of them. Another spelling is refused later: see onward.ts. */
  has(target: string): boolean;
  /** Whether the decoded segments of a judged path are one of them, in any spelling. */
  hasSegments(segments: readonly string[]): boolean;
  /** Whether all paths with these segments and at least one more are among them. */
  hasAllBelow(segments: readonly string[]): boolean;
}

/** Unambiguous paths: no dot segments, no empty ones, nothing encoded. */
const PLAIN = /^(?:\/[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)*\/?$/;

/** Own paths of the given functions. */
export function ownPaths(functions: readonly Pick<EdgeFunction, 'paths'>[]): OwnPaths {
  const paths = functions.flatMap((each) => each.paths);
  const exact = new Set(paths.filter((path) => !path.endsWith('/')));
  const prefixes = paths.filter((path) => path.endsWith('/'));
  const below = prefixes.map((prefix) => prefix.slice(1, -1).split('/'));
  // Most requests match none and have more segments than any: no string is built for those.
  const deepest = Math.max(...[...exact].map((path) => path.split('/').length - 1));
  const isBelow = (segments: readonly string[], atLeast: number): boolean =>
    below.some(
      (prefix) =>
        segments.length >= prefix.length + atLeast && prefix.every((part, at) => segments[at] === part),
    );
  return {
    has(target) {
      const mark = target.indexOf('?');
      const path = mark < 0 ? target : target.slice(0, mark);
      if (exact.has(path)) return true;
      return prefixes.some((prefix) => path.startsWith(prefix)) && PLAIN.test(path);
    },
    hasSegments: (segments) =>
      (segments.length <= deepest && exact.has(`/${segments.join('/')}`)) || isBelow(segments, 1),
    hasAllBelow: (segments) => isBelow(segments, 0),
  };
}

/** Finds the route of a path: the exact one, else the one of the longest prefix. */
export function routesByPath(routes: readonly OwnRoute[]): (path: string) => OwnRoute | undefined {
  const exact = new Map(routes.map((route) => [route.path, route]));
  const prefixes = routes
    .filter(({ path }) => path.endsWith('/'))
    .toSorted((a, b) => b.path.length - a.path.length);
  return (path) => exact.get(path) ?? prefixes.find((route) => path.startsWith(route.path));
}
