import { parseRules, type Report } from './parse.ts';
import { toRule, type RuleContext } from './rule.ts';
import { RuleTrie } from '../trie.ts';
import { isForAnyToken, type CompiledRules, type Finding, type PathSegment, type Rule } from '../types.ts';
import { checkGaps } from './gaps.ts';
import { parseStripPrefix } from '../pattern.ts';

/** The targets that the entries name: for callers without the configuration of where the rules serve. */
export function targetsNamedIn(source: string): ReadonlySet<string> {
  const parsed = parseRules(source);
  const entries = parsed.ok ? parsed.entries : [];
  return new Set(entries.map(({ definition }) => definition.target ?? 'upstream'));
}

export type Compilation =
  | { readonly ok: true; readonly rules: CompiledRules; readonly warnings: readonly Finding[] }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/**
 * Compiles a rules file to a matcher. Collects all faults; `findings` and `warnings` include notes.
 */
export function compileRules(source: string, context: RuleContext): Compilation {
  const parsed = parseRules(source);
  if (!parsed.ok) return parsed;
  const { entries, report } = parsed;
  const rules = entries.flatMap((entry) => toRule(entry, context, report) ?? []);
  const trie = new RuleTrie(rules);
  checkRules(trie, context, report);
  for (const rule of rules) adviseOnExposure(rule, report);
  const { findings } = report;
  return report.failed ? { ok: false, findings } : { ok: true, rules: trie, warnings: findings };
}

/** Checks the rules as a whole, and for settings without effect. */
function checkRules(trie: RuleTrie, context: RuleContext, report: Report): void {
  for (const { rule, earlier, method } of trie.conflicts) {
    const message = `matches the same ${method === '*' ? 'paths' : `${method} requests`} as rule /${earlier.index} (${earlier.path})`;
    report.error('duplicate_rule', [rule.index, 'path'], message);
  }
  for (const rule of trie.rules) {
    checkReach(rule, context, report);
    checkEffect(rule, report);
    checkToken(rule, report);
    checkObject(rule, report);
  }
  checkGaps(trie, report);
}

function checkReach(rule: Rule, { own }: RuleContext, report: Report): void {
  const first = rule.segments.findIndex(({ kind }) => kind !== 'literal');
  const leading = first < 0 ? rule.segments : rule.segments.slice(0, first);
  const literals = leading.flatMap((segment) => (segment.kind === 'literal' ? [segment.value] : []));
  const reached = first < 0 ? own?.hasSegments(literals) : own?.hasAllBelow(literals);
  if (reached !== true) return;
  const message = `${rule.path} is answered by the gateway itself, never by this rule`;
  report.warning('unreachable', [rule.index, 'path'], message);
}

function checkEffect(rule: Rule, report: Report): void {
  const open = rule.access.kind === 'public' || isForAnyToken(rule);
  if (!open || rule.mode === 'enforce') return;
  report.warning(
    'no_effect',
    [rule.index, 'mode'],
    'mode shadow changes nothing where no relation, no claim and no tenant is asked for',
  );
}

function checkToken({ index, access, methods, token = [] }: Rule, report: Report): void {
  if (token.length > 0 && access.kind === 'public') {
    report.warning('no_effect', [index, 'token'], 'no token is looked for where anyone may pass');
    return;
  }
  // RFC 6455 §4.1: the opening handshake is a GET.
  const protocol = token.findIndex(({ kind }) => kind === 'protocol');
  if (protocol >= 0 && methods !== '*' && !methods.includes('GET'))
    report.warning(
      'no_effect',
      [index, 'token', protocol],
      'a WebSocket begins with GET, and the rule has no GET',
    );
  const at = token.findIndex(({ kind }) => kind === 'query');
  if (at < 0) return;
  const message =
    'a URL is kept in histories and in the logs of every server on its way, and so is a token in it';
  report.warning('token_in_query', [index, 'token', at], message);
}

/** Adjacent values can be split in several ways, so that two paths would share one object. */
function checkObject(rule: Rule, report: Report): void {
  if (rule.access.kind !== 'relation' || typeof rule.access.object === 'string') return;
  const parts = rule.access.object;
  const names = parts.flatMap((part) => (part.kind === 'param' ? [part.name] : []));
  if (names.length < 2) return;
  const between = parts
    .map((part) => (part.kind === 'param' ? '\0' : part.text))
    .join('')
    .split('\0')
    .slice(1, -1);
  // A :name never holds a slash; a *name does.
  const takesRest = rule.segments.some((segment) => segment.kind === 'rest' && names.includes(segment.name));
  if (!takesRest && between.every((text) => text.includes('/'))) return;
  const message = 'different paths can name the same object: put a / between placeholders';
  report.warning('ambiguous_object', [rule.index, 'object'], message);
}

/** Management interfaces of Zitadel 2 to 4: the first segments of their paths, and what they govern. */
const MANAGEMENT: readonly { readonly segments: readonly string[]; readonly governs: string }[] = [
  { segments: ['management'], governs: 'users, projects and grants of an organisation' },
  { segments: ['admin'], governs: 'the whole instance, export of all users included' },
  { segments: ['system'], governs: 'every instance of the installation' },
  { segments: ['auth', 'v1'], governs: "the caller's own account and credentials" },
  { segments: ['v2'], governs: 'users, sessions, settings and actions' },
  { segments: ['v2beta'], governs: 'users, sessions, settings and actions' },
  { segments: ['resources'], governs: 'users and their schemas' },
  { segments: ['scim'], governs: 'provisioning of users' },
];

/** Zitadel's gRPC and Connect services: `/zitadel.user.v2.UserService/…`. */
const SERVICES = 'zitadel.';

/** Warns of a rule that exposes the authorization server or the identity provider's management. */
function adviseOnExposure(rule: Rule, report: Report): void {
  const place = [rule.index, rule.target === 'upstream' ? 'path' : 'target'];
  const who = audience(rule);
  if (who === undefined) return;
  if (rule.target === 'openfga') {
    const what = 'read and write relationship tuples, models and stores, and so grant itself every relation';
    report.warning('openfga_exposed', place, `${rule.path} lets ${who} ${what}`);
    return;
  }
  if (rule.target !== 'zitadel' || rule.access.kind !== 'public') return;
  const exposed = managementWithin(forwarded(rule));
  if (exposed.length === 0) return;
  const what = `reach Zitadel's management (${exposed.join('; ')}), guarded by nothing but the token it may carry`;
  report.warning('management_exposed', place, `${rule.path} lets ${who} ${what}`);
}

function audience(rule: Rule): string | undefined {
  if (rule.access.kind === 'public') return 'anyone';
  const open = isForAnyToken(rule) || rule.mode === 'shadow';
  return open ? 'any holder of a valid token' : undefined;
}

/** The path as the target receives it. */
function forwarded(rule: Rule): readonly PathSegment[] {
  if (rule.stripPrefix === undefined) return rule.segments;
  const parsed = parseStripPrefix(rule.stripPrefix, rule.segments);
  return parsed.ok ? rule.segments.slice(parsed.length) : rule.segments;
}

function managementWithin(path: readonly PathSegment[]): string[] {
  const exposed = MANAGEMENT.filter(({ segments }) => reaches(path, segments)).map(
    ({ segments, governs }) => `/${segments.join('/')}/: ${governs}`,
  );
  const first = path[0];
  if (first !== undefined && (first.kind !== 'literal' || first.value.startsWith(SERVICES))) {
    exposed.push(`/${SERVICES}…: the same over gRPC and Connect`);
  }
  return exposed;
}

function reaches(path: readonly PathSegment[], prefix: readonly string[]): boolean {
  for (const [at, wanted] of prefix.entries()) {
    const segment = path[at];
    if (segment === undefined) return false;
    if (segment.kind === 'rest') return true;
    if (segment.kind === 'literal' && segment.value !== wanted) return false;
  }
  return true;
}
