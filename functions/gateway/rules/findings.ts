import { fits, shapeOf } from './pattern.ts';
import type { Report } from './report.ts';
import type { RuleTrie } from './trie.ts';
import type { PathSegment, Rule } from './types.ts';

/** Routes the bundle answers itself, before any rule. */
const OWN_ROUTES: readonly (readonly string[])[] = [
  ['health'],
  ['ready'],
  ['metrics'],
  ['forward-auth'],
  ['webhooks', 'zitadel'],
  ['webhooks', 'user-created'],
  ['webhooks', 'user-updated'],
  ['webhooks', 'user-deleted'],
  ['.well-known', 'sallyport', 'jwks.json'],
];

/** No rule names it, so only rules for any method serve it. */
const ANY_OTHER = 'any other method';

/** What can only be seen of the rules together, and what a rule says without effect. */
export function checkRules(trie: RuleTrie, report: Report): void {
  for (const { rule, earlier, method } of trie.conflicts) {
    const message = `matches the same ${method === '*' ? 'paths' : `${method} requests`} as rule /${earlier.index} (${earlier.path})`;
    report.error('duplicate_rule', [rule.index, 'path'], message);
  }
  for (const rule of trie.rules) {
    checkReach(rule, report);
    checkEffect(rule, report);
    checkObject(rule, report);
  }
  checkGaps(trie, report);
}

function checkReach(rule: Rule, report: Report): void {
  const literal = rule.segments.every((segment) => segment.kind === 'literal');
  if (!literal || !OWN_ROUTES.some((route) => fits(rule.segments, route))) return;
  report.warning(
    'unreachable',
    [rule.index, 'path'],
    `${rule.path} is answered by the gateway itself, never by this rule`,
  );
}

function checkEffect(rule: Rule, report: Report): void {
  if (rule.access.kind === 'relation' || rule.mode === 'enforce') return;
  report.warning(
    'no_effect',
    [rule.index, 'mode'],
    'mode shadow changes nothing where no relation is asked for',
  );
}

/** Two values side by side can be cut apart in two ways, so two paths would share one object. */
function checkObject(rule: Rule, report: Report): void {
  if (rule.access.kind !== 'relation' || typeof rule.access.object === 'string') return;
  const parts = rule.access.object;
  const placeholders = parts.filter((part) => part.kind === 'param');
  if (placeholders.length < 2) return;
  const rest = rule.segments.find((segment) => segment.kind === 'rest');
  const takesRest = placeholders.some((part) => part.name === rest?.name);
  const between = parts.slice(
    parts.findIndex((part) => part.kind === 'param'),
    parts.findLastIndex((part) => part.kind === 'param'),
  );
  const separated = between.every((part, at) =>
    part.kind === 'param' ? between[at + 1]?.kind !== 'param' : part.text.includes('/'),
  );
  if (separated && !takesRest) return;
  report.warning(
    'ambiguous_object',
    [rule.index, 'object'],
    'different paths can name the same object: put a / between placeholders',
  );
}

/** A protected path whose other methods fall through to a public rule above it. */
function checkGaps(trie: RuleTrie, report: Report): void {
  const named = trie.rules.flatMap((rule) => (rule.methods === '*' ? [] : rule.methods));
  const methods = [...new Set(named), ANY_OTHER];
  const first = new Map<string, Rule>();
  for (const rule of trie.rules) {
    const shape = shapeOf(rule.segments);
    if (rule.access.kind !== 'public' && !first.has(shape)) first.set(shape, rule);
  }
  for (const [shape, rule] of first) {
    const sample = rule.segments.map(sampleOf);
    const open = new Map<Rule, string[]>();
    for (const method of methods) {
      const winner = trie.match(method, sample)?.rule;
      if (winner?.access.kind !== 'public' || shapeOf(winner.segments) === shape) continue;
      open.set(winner, [...(open.get(winner) ?? []), method]);
    }
    for (const [winner, through] of open) {
      const message = `is protected, but ${through.join(', ')} falls through to the public rule /${winner.index} (${winner.path})`;
      report.warning('method_gap', [rule.index, 'method'], message);
    }
  }
}

/** A segment that no literal equals: judged paths hold no NUL. */
function sampleOf(segment: PathSegment): string {
  return segment.kind === 'literal' ? segment.value : '\0';
}
