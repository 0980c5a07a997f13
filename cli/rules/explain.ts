import { CODES } from '../../shared/codes.ts';
import { functionsOn } from '../../functions/catalogue.ts';
import { ownPaths } from '../../shared/edge/function.ts';
import { compileRules } from '../../functions/gateway/match/rules/compile.ts';
import { explain, type Explanation, type Lost } from '../../functions/gateway/match/rules/explain.ts';
import { readJson } from '../../shared/json.ts';
import type { TokenPlace } from '../../functions/gateway/match/rules/claims.ts';
import {
  isForAnyToken,
  type Params,
  type Rule,
  type TenantDemand,
} from '../../functions/gateway/match/types.ts';
import { openModels, openRelations, openTuples } from '../deps.ts';
import { Failure } from '../failure.ts';
import { orFailure, storeSettings } from '../fga/connect.ts';
import { colors, environment, note, print, printJson } from '../terminal.ts';
import { line } from './check.ts';
import { SUBJECTS } from '../../shared/configuration/issuers.ts';
import { configured } from '../variables.ts';
import { knownTargets, readRules } from './source.ts';
import { userNamed, usualIssuer, whoMay, type Verdict } from './who.ts';

export interface ExplainOptions {
  readonly rules?: string;
  /** The token's sub, or the OpenFGA user. */
  readonly user?: string;
  /** The issuer of that subject. */
  readonly issuer?: string;
  readonly json?: boolean;
}

/** Prints the decision of the rules on a request, and of OpenFGA on `user`. Returns false when the gateway would refuse it. */
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
  const explanation = explain(compilation.rules, ownPaths(functionsOn(environment)), method, path);
  const verdict =
    options.user === undefined ? undefined : await verdictOn(explanation, options.user, options);
  const passed = passes(explanation) && (verdict === undefined || verdict.allowed || isShadow(explanation));
  if (options.json === true) {
    printJson(verdict === undefined ? toJson(explanation) : { ...toJson(explanation), openfga: verdict });
    return passed;
  }
  for (const entry of toLines(method, path, explanation)) print(entry);
  if (verdict !== undefined) for (const entry of verdictLines(verdict, isShadow(explanation))) print(entry);
  else if (options.user !== undefined) print('  user    OpenFGA is not asked about anybody');
  if (explanation.kind === 'matched') print(`  at      ${name}:${place(text, explanation.match.rule)}`);
  return passed;
}

/** Undefined where the gateway would make no check. Throws Failure. */
async function verdictOn(
  explanation: Explanation,
  subject: string,
  { issuer }: ExplainOptions,
): Promise<Verdict | undefined> {
  const user = userNamed(
    subject,
    issuer ?? usualIssuer(environment),
    configured(SUBJECTS).sharedSubjectIssuers,
  );
  if (explanation.kind !== 'matched' || explanation.object === undefined) return undefined;
  const { access } = explanation.match.rule;
  if (access.kind !== 'relation') return undefined;
  const settings = storeSettings();
  const served = await orFailure(openModels(settings).served());
  if (served === undefined) throw new Failure(`store ${settings.storeId} has no model`);
  const deps = { relations: openRelations(settings), tuples: openTuples(settings), model: served.model };
  return orFailure(whoMay(user, access.relation, explanation.object, deps));
}

function isShadow(explanation: Explanation): boolean {
  return explanation.kind === 'matched' && explanation.match.rule.mode === 'shadow';
}

export function verdictLines({ user, allowed, chains, lacks }: Verdict, shadow: boolean): string[] {
  const answer = allowed ? colors.green('yes') : colors.red('no');
  const through = !allowed && shadow ? ' (shadow: let through all the same)' : '';
  const unseen = 'no chain of tuples was found: it may hang on a condition, or lie deeper than was looked';
  const [label, entries] = allowed
    ? ['  grants ', chains.map((chain) => chain.join(' -> '))]
    : ['  lacks  ', lacks];
  return [
    `  user    ${user}`,
    `  answer  ${answer}${through}`,
    ...(entries.length === 0 ? [unseen] : entries).map((entry) => `${label} ${entry}`),
  ];
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
    `  asks    ${refusal === undefined ? requirementText(rule, object) : `nothing: refused (400 invalid_path), ${refusal}`}`,
    ...(rule.claims ?? []).map(
      ({ name, values }) =>
        `  claim   ${name}: ${values.map((value) => JSON.stringify(value)).join(' and ')}`,
    ),
    ...(rule.tenant === undefined ? [] : [`  tenant  ${tenantText(rule.tenant, params)}`]),
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

function requirementText(rule: Rule, object: string | undefined): string {
  if (rule.access.kind === 'public') return 'nothing: anyone may pass';
  if (isForAnyToken(rule)) return 'for any valid token';
  if (rule.access.kind === 'authenticated')
    return `for a valid token ${rule.claims === undefined ? 'of the tenant' : 'with the claims'} below`;
  const shadow = rule.mode === 'shadow' ? ' (shadow: a no is logged, not enforced)' : '';
  return `whether the caller is ${rule.access.relation} of ${object ?? ''}${shadow}`;
}

function tenantText(demand: TenantDemand, params: Params): string {
  if (demand.kind === 'any') return 'the caller has to be in one (403 no_tenant)';
  const named = params[demand.name] ?? '';
  return `the caller has to be in ${JSON.stringify(named)}, by slug or uuid, exactly so (403 wrong_tenant)`;
}

function lostLine({ rule, why }: Lost): string {
  return `  not by  ${describe(rule)}: ${why}`;
}

function describe(rule: Rule): string {
  return `rule /${rule.index} (${[rule.methods].flat().join(', ')} ${rule.path})`;
}

export function toJson(explanation: Explanation): object {
  if (explanation.kind === 'refused') return { ...explanation, status: CODES[explanation.code].status };
  if (explanation.kind === 'own_route') return explanation;
  const lost = explanation.lost.map(({ rule, why }) => ({ ...brief(rule), why }));
  if (explanation.kind === 'unmatched') return { ...explanation, lost, status: 403, code: 'no_rule' };
  const { match, object, refusal } = explanation;
  return { kind: 'matched', rule: brief(match.rule), params: match.params, object, refusal, lost };
}

function brief(rule: Rule) {
  const { index, path, methods, access, claims, tenant, target, mode } = rule;
  const token = rule.token?.map(placeText);
  return { pointer: `/${index}`, path, methods, access: access.kind, claims, tenant, token, target, mode };
}
