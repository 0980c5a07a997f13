import type { CompiledRules, Match, Params, Rule } from './types.ts';

/** A parameter's position in the request's segments. */
interface Capture {
  readonly name: string;
  readonly at: number;
  readonly rest: boolean;
}

interface Entry {
  readonly rule: Rule;
  readonly captures: readonly Capture[];
  /** Prebuilt when there is nothing to capture, so that such a match allocates nothing. */
  readonly fixed: Match | undefined;
}

interface Leaf {
  readonly named: Map<string, Entry>;
  any: Entry | undefined;
}

interface Node {
  readonly literals: Map<string, Node>;
  param: Node | undefined;
  here: Leaf | undefined;
  rest: Leaf | undefined;
}

const NO_PARAMS: Params = Object.freeze(emptyParams());

/** Two rules of equal path shape that claim the same method. */
export interface Conflict {
  readonly rule: Rule;
  readonly earlier: Rule;
  readonly method: string;
}

/**
 * Segment trie: a lookup costs the depth of the path, not the number of rules. Where a literal and a parameter both match,
 * the literal's branch comes first and is left only when it has no rule for the method.
 */
export class RuleTrie implements CompiledRules {
  readonly rules: readonly Rule[];
  readonly claimNames: ReadonlySet<string>;
  readonly conflicts: readonly Conflict[];
  readonly #root = newNode();

  constructor(rules: readonly Rule[]) {
    this.rules = rules;
    this.claimNames = claimNamesOf(rules);
    this.conflicts = rules.flatMap((rule) => insert(this.#root, rule));
  }

  match(method: string, segments: readonly string[]): Match | undefined {
    const entry = find(this.#root, method, segments, 0);
    if (entry === undefined) return undefined;
    return entry.fixed ?? new Found(entry, segments);
  }
}

/** Captures parameters at first use, because most rules only match by them. */
class Found implements Match {
  readonly rule: Rule;
  readonly #captures: readonly Capture[];
  readonly #segments: readonly string[];

  constructor({ rule, captures }: Entry, segments: readonly string[]) {
    this.rule = rule;
    this.#captures = captures;
    this.#segments = segments;
  }

  get params(): Params {
    return capture(this.#captures, this.#segments);
  }
}

const nameSets = new Map<string, ReadonlySet<string>>();

/** Interned: cached tokens compare it by identity, and so outlive a change of other rules. */
function claimNamesOf(rules: readonly Rule[]): ReadonlySet<string> {
  const named = new Set(rules.flatMap(({ claims = [] }) => claims.map(({ name }) => name)).sort());
  const key = JSON.stringify([...named]);
  const interned = nameSets.get(key) ?? named;
  nameSets.set(key, interned);
  return interned;
}

function find(node: Node, method: string, segments: readonly string[], depth: number): Entry | undefined {
  const segment = segments[depth];
  if (segment === undefined) return entryFor(node.here, method);
  const literal = node.literals.get(segment);
  if (literal !== undefined) {
    const found = find(literal, method, segments, depth + 1);
    if (found !== undefined) return found;
  }
  if (node.param !== undefined && segment !== '') {
    const found = find(node.param, method, segments, depth + 1);
    if (found !== undefined) return found;
  }
  return entryFor(node.rest, method);
}

function entryFor(leaf: Leaf | undefined, method: string): Entry | undefined {
  return leaf === undefined ? undefined : (leaf.named.get(method) ?? leaf.any);
}

function capture(captures: readonly Capture[], segments: readonly string[]): Params {
  const params = emptyParams();
  for (const { name, at, rest } of captures) {
    params[name] = rest ? segments.slice(at).join('/') : (segments[at] ?? '');
  }
  return params;
}

function insert(root: Node, rule: Rule): Conflict[] {
  const leaf = leafOf(root, rule);
  const captures = rule.segments.flatMap((segment, at) =>
    segment.kind === 'literal' ? [] : [{ name: shared(segment.name), at, rest: segment.kind === 'rest' }],
  );
  const fixed = captures.length === 0 ? { rule, params: NO_PARAMS } : undefined;
  const entry: Entry = { rule, captures, fixed };
  if (rule.methods === '*') {
    if (leaf.any !== undefined) return [{ rule, earlier: leaf.any.rule, method: '*' }];
    leaf.any = entry;
    return [];
  }
  return rule.methods.flatMap((method) => {
    const earlier = leaf.named.get(method)?.rule;
    if (earlier !== undefined) return [{ rule, earlier, method }];
    leaf.named.set(method, entry);
    return [];
  });
}

const names = new Map<string, string>();

/** Interned: the engine looks properties up by string identity, and each rule's own copy would miss. */
function shared(name: string): string {
  const interned = names.get(name);
  if (interned === undefined) names.set(name, name);
  return interned ?? name;
}

function leafOf(root: Node, rule: Rule): Leaf {
  let node = root;
  for (const segment of rule.segments) {
    if (segment.kind === 'rest') return (node.rest ??= newLeaf());
    node = segment.kind === 'param' ? (node.param ??= newNode()) : literalChild(node, segment.value);
  }
  return (node.here ??= newLeaf());
}

function literalChild(node: Node, value: string): Node {
  const child = node.literals.get(value);
  if (child !== undefined) return child;
  const made = newNode();
  node.literals.set(value, made);
  return made;
}

function newNode(): Node {
  return { literals: new Map(), param: undefined, here: undefined, rest: undefined };
}

function newLeaf(): Leaf {
  return { named: new Map(), any: undefined };
}

function emptyParams(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}
