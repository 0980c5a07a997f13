import { checkGaps } from './gaps.ts';
import type { Report } from './report.ts';
import type { Known } from './rule.ts';
import type { RuleTrie } from '../trie.ts';
import type { Rule } from '../types.ts';

/** What can only be seen of the rules together, and what a rule says without effect. */
export function checkRules(trie: RuleTrie, known: Known, report: Report): void {
  for (const { rule, earlier, method } of trie.conflicts) {
    const message = `matches the same ${method === '*' ? 'paths' : `${method} requests`} as rule /${earlier.index} (${earlier.path})`;
    report.error('duplicate_rule', [rule.index, 'path'], message);
  }
  for (const rule of trie.rules) {
    checkReach(rule, known, report);
    checkEffect(rule, report);
    checkToken(rule, report);
    checkObject(rule, report);
  }
  checkGaps(trie, report);
}

function checkReach(rule: Rule, { own }: Known, report: Report): void {
  const first = rule.segments.findIndex(({ kind }) => kind !== 'literal');
  const leading = first < 0 ? rule.segments : rule.segments.slice(0, first);
  const literals = leading.flatMap((segment) => (segment.kind === 'literal' ? [segment.value] : []));
  const reached = first < 0 ? own?.hasSegments(literals) : own?.hasAllBelow(literals);
  if (reached !== true) return;
  const message = `${rule.path} is answered by the gateway itself, never by this rule`;
  report.warning('unreachable', [rule.index, 'path'], message);
}

function checkEffect(rule: Rule, report: Report): void {
  if (rule.access.kind === 'relation' || rule.claims !== undefined || rule.mode === 'enforce') return;
  report.warning(
    'no_effect',
    [rule.index, 'mode'],
    'mode shadow changes nothing where no relation and no claim is asked for',
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

/** Values side by side can be cut apart in several ways, so that two paths would share one object. */
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
