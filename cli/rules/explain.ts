import { CODES } from '../../shared/errors.ts';
import { compileRules } from '../../functions/gateway/rules/compile.ts';
import { explain, type Explanation, type Lost } from '../../functions/gateway/rules/explain.ts';
import { readJson } from '../../functions/gateway/rules/json.ts';
import type { TokenPlace } from '../../functions/gateway/rules/token-places.ts';
import type { Rule } from '../../functions/gateway/rules/types.ts';
import { Failure } from '../failure.ts';
import { colors, environment, note, print, printJson } from '../terminal.ts';
import { line } from './check.ts';
import { knownTargets, readRules } from './source.ts';

export interface ExplainOptions {
  readonly rules?: string;
  readonly json?: boolean;
}

/** Prints what the rules decide on a request. False when the gateway would refuse it whoever asks. */
export async function explainRequest(
  method: string,
  path: string,
  options: ExplainOptions,
): Promise<boolean> {
  const { name, text } = await readRules(options.rules, environment);
  const compilation = compileRules(text, { targets: knownTargets(environment).targets });
  if (!compilation.ok) {
    for (const finding of compilation.findings) note(line(name, finding));
    throw new Failure(`${name} has errors, so nothing is decided by it`);
  }
  const explanation = explain(compilation.rules, method, path);
  if (options.json === true) {
    printJson(toJson(explanation));
    return passes(explanation);
  }
  for (const entry of toLines(method, path, explanation)) print(entry);
  if (explanation.kind === 'matched') print(`  at      ${name}:${place(text, explanation.match.rule)}`);
  return passes(explanation);
}

/** `line:column` of a rule in the text it was compiled from. */
function place(text: string, rule: Rule): string {
  const read = readJson(text);
  if (!read.ok) return '1:1';
  const { line, column } = read.json.locate([rule.index]);
  return `${line}:${column}`;
}

function passes(explanation: Explanation): boolean {
  if (explanation.kind === 'matched') return explanation.refusal === undefined;
  return explanation.kind === 'own_route';
}

export function toLines(method: string, path: string, explanation: Explanation): string[] {
  const request = colors.bold(`${method} ${path}`);
  switch (explanation.kind) {
    case 'refused':
      return [
        `${request} is refused (${CODES[explanation.code].status} ${explanation.code}) whatever a rule says: ${explanation.reason}`,
      ];
    case 'own_route':
      return [`${request} is answered by the gateway itself, before any rule`];
    case 'unmatched':
      return [
        `${request} is refused (403 no_rule): no rule matches`,
        ...explanation.lost.map(lostLine),
        ...(explanation.hint === undefined ? [] : [`  hint: ${explanation.hint}`]),
      ];
    case 'matched':
      return [`${request} is decided by ${describe(explanation.match.rule)}`, ...detailLines(explanation)];
  }
}

function detailLines({ match, object, refusal, lost }: Extract<Explanation, { kind: 'matched' }>): string[] {
  const { rule, params } = match;
  const values = Object.entries(params).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const rate = rule.rateLimit;
  return [
    `  asks    ${refusal === undefined ? question(rule, object) : `nothing: refused (400 invalid_path), ${refusal}`}`,
    ...(rule.claims ?? []).map(
      ({ name, values }) =>
        `  claim   ${name}: ${values.map((value) => JSON.stringify(value)).join(' and ')}`,
    ),
    ...(rule.token === undefined ? [] : [`  token   ${rule.token.map(placeText).join(', ')}`]),
    `  target  ${rule.target}${rule.stripPrefix === undefined ? '' : `, without ${rule.stripPrefix}`}`,
    ...(values.length === 0 ? [] : [`  params  ${values.join(', ')}`]),
    ...(rate === undefined ? [] : [`  limit   ${rate.limit} in ${rate.windowMs / 1000} s (${rate.name})`]),
    ...lost.map(lostLine),
  ];
}

function placeText(place: TokenPlace): string {
  return 'name' in place ? `${place.kind}:${place.name}` : place.kind;
}

function question(rule: Rule, object: string | undefined): string {
  if (rule.access.kind === 'public') return 'nothing: anyone may pass';
  if (rule.access.kind === 'authenticated')
    return rule.claims === undefined ? 'for any valid token' : 'for a valid token with the claims below';
  const shadow = rule.mode === 'shadow' ? ' (shadow: a no is logged, not enforced)' : '';
  return `whether the caller is ${rule.access.relation} of ${object ?? ''}${shadow}`;
}

function lostLine({ rule, why }: Lost): string {
  return `  not by  ${describe(rule)}: ${why}`;
}

function describe(rule: Rule): string {
  return `rule /${rule.index} (${[rule.methods].flat().join(', ')} ${rule.path})`;
}

export function toJson(explanation: Explanation): unknown {
  if (explanation.kind === 'refused') return { ...explanation, status: CODES[explanation.code].status };
  if (explanation.kind === 'own_route') return explanation;
  const lost = explanation.lost.map(({ rule, why }) => ({ ...brief(rule), why }));
  if (explanation.kind === 'unmatched') return { ...explanation, lost, status: 403, code: 'no_rule' };
  const { match, object, refusal } = explanation;
  return { kind: 'matched', rule: brief(match.rule), params: match.params, object, refusal, lost };
}

function brief(rule: Rule) {
  const { index, path, methods, access, claims, target, mode } = rule;
  const token = rule.token?.map(placeText);
  return { pointer: `/${index}`, path, methods, access: access.kind, claims, token, target, mode };
}
