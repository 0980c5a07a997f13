import type { Refusal } from '../../shared/errors.ts';
import type { Renewing } from './authenticate/cookies.ts';
import type { Principal } from './authenticate/principal.ts';
import type { Grant } from './authorize/authorize.ts';
import type { Admission } from './limit/limit.ts';
import type { Match, Rule } from './match/types.ts';
import type { RequestLog } from '../../shared/edge/request-log.ts';
import type { RequestLines } from '../../shared/ports/log.ts';
import type { Metrics } from '../../shared/ports/metrics.ts';
import type { Ending, ForwardEvents } from '../../shared/ports/upstream.ts';
import type { GatewayRequest } from './read/request.ts';
import { typeOf } from './match/rules/object.ts';

const MICROSECONDS = 1_000;
/** Cached, since the global is an accessor. */
const timer = performance;

/**
 * The results of a request's steps so far, and their durations in microseconds. One per request; read once, by the log.
 * The upstream reports the exchange to it.
 */
export class Journey implements ForwardEvents, Renewing {
  match: Match | undefined;
  principal: Principal | undefined;
  admission: Admission | undefined;
  grant: Grant | undefined;
  refusal: Refusal | undefined;
  /** Set-Cookie values of a renewed session; they go on any answer. */
  cookies: readonly string[] | undefined;
  private cookiesGiven: (() => void) | undefined;
  ending: Ending = 'complete';
  matchUs = 0;
  authenticateUs = 0;
  limitUs = 0;
  authorizeUs = 0;
  upstreamUs = 0;
  private readonly startedMs: number;
  private markMs: number;
  /** The current step: when it fails, the time since the previous one counts for it. */
  private step: 'matchUs' | 'authenticateUs' | 'limitUs' | 'authorizeUs' | 'upstreamUs' = 'matchUs';

  constructor() {
    this.startedMs = this.markMs = timer.now();
  }

  matched(match: Match): void {
    this.match = match;
    this.matchUs = this.lap();
    this.step = 'authenticateUs';
  }

  authenticated(principal: Principal | undefined): void {
    this.principal = principal;
    this.authenticateUs = this.lap();
    this.step = 'limitUs';
  }

  renewed(cookies: readonly string[], given: () => void): void {
    this.cookies = cookies;
    this.cookiesGiven = given;
  }

  limited(admission: Admission): void {
    this.admission = admission;
    this.limitUs = this.lap();
    this.step = 'authorizeUs';
  }

  authorized(grant: Grant): void {
    this.grant = grant;
    this.authorizeUs = this.lap();
    this.step = 'upstreamUs';
  }

  /** The upstream's answer began, or failed. */
  answered(): void {
    this.upstreamUs = this.lap();
    this.begun();
  }

  ended(how: Ending): void {
    this.ending = how;
    this.begun();
  }

  refused(refusal: Refusal): void {
    this.refusal = refusal;
    this[this.step] += this.lap();
    this.begun();
  }

  /** The answer, with its cookies, goes out, or none will. */
  private begun(): void {
    const given = this.cookiesGiven;
    if (given === undefined) return;
    this.cookiesGiven = undefined;
    given();
  }

  totalMs(): number {
    return timer.now() - this.startedMs;
  }

  private lap(): number {
    const before = this.markMs;
    this.markMs = timer.now();
    return micros(this.markMs - before);
  }
}

export interface RecordDeps {
  readonly log: RequestLines;
  readonly requests: RequestLog;
  readonly metrics: Metrics;
  /** Takes how long each check of a token took, in microseconds; absent: it is not measured. */
  readonly tokenChecked?: ((us: number) => void) | undefined;
}

type Recorded = Pick<GatewayRequest, 'id' | 'method' | 'target' | 'address'>;

/**
 * One log line and one measure per request. A passed request is named by the pattern of its rule: a real path may name
 * people. A refusal names the path too, without its query: nothing else explains no rule, or the wrong one.
 */
export function record(
  request: Recorded,
  journey: Journey,
  status: number,
  ending: Ending | 'preflight',
  { log, requests, metrics, tokenChecked }: RecordDeps,
): void {
  const { refusal } = journey;
  const rule = journey.match?.rule;
  if (tokenChecked !== undefined && rule !== undefined && rule.access.kind !== 'public')
    if (refusal?.code !== 'missing_token') tokenChecked(journey.authenticateUs);
  const code = codeOf(journey, ending);
  const totalMs = journey.totalMs();
  metrics.request({
    own: false,
    rule: rule?.path ?? '',
    target: rule?.target ?? '',
    status,
    code,
    totalMs,
    // Without an answer there is no time to its first byte.
    upstreamMs: refusal === undefined ? journey.upstreamUs / MICROSECONDS : 0,
  });
  const shadow = journey.grant?.wouldRefuse;
  for (const each of [refusal, shadow])
    if (each?.code === 'authorization_misconfigured') logMisconfigured(each, request, rule, log);
  if (!requests.wants(code)) return;
  if (refusal === undefined && shadow === undefined) {
    const { lines } = log;
    lines?.write(passed(lines.begin(), request, journey, { status, code, us: micros(totalMs) }));
    return;
  }
  log.info('request', {
    request_id: request.id,
    method: request.method,
    rule: rule?.path,
    target: rule?.target,
    status,
    code,
    reason: refusal?.reason,
    path: refusal === undefined ? undefined : requests.path(request.target),
    user: journey.principal?.user,
    address: request.address,
    shadow: shadow && `${shadow.code}: ${shadow.reason}`,
    us: micros(totalMs),
    match_us: rule === undefined ? journey.matchUs : undefined,
    authenticate_us: journey.authenticateUs,
    limit_us: journey.limitUs,
    authorize_us: journey.authorizeUs,
    upstream_us: journey.upstreamUs,
  });
}

/** The same members as text: JSON.stringify() of an object costs more than the rest of the record. */
function passed(
  begin: string,
  request: Recorded,
  journey: Journey,
  { status, code, us }: { readonly status: number; readonly code: string; readonly us: number },
): string {
  const { match, principal, matchUs, authenticateUs, limitUs, authorizeUs, upstreamUs } = journey;
  const where = match === undefined ? '' : namesOf(match.rule);
  const who = principal === undefined ? '' : `,"user":"${escaped(principal.user)}"`;
  const unmatched = match === undefined ? `,"match_us":${matchUs}` : '';
  // Joined in one piece of memory: each text that is added to another takes one of its own.
  // prettier-ignore
  return [
    begin, ',"msg":"request","request_id":"', escaped(request.id), '","method":"', escaped(request.method), '"', where,
    ',"status":', status, ',"code":"', code, '"', who, ',"address":"', escaped(request.address), '","us":', us, unmatched,
    ',"authenticate_us":', authenticateUs, ',"limit_us":', limitUs, ',"authorize_us":', authorizeUs,
    ',"upstream_us":', upstreamUs, '}',
  ].join('');
}

const names = new WeakMap<Rule, string>();

function namesOf(rule: Rule): string {
  let text = names.get(rule);
  if (text === undefined) {
    text = `,"rule":"${escaped(rule.path)}","target":"${escaped(rule.target)}"`;
    names.set(rule, text);
  }
  return text;
}

const NOTHING_TO_ESCAPE = /^[ !#-[\]-~]*$/;

/** Escaped as within a JSON string. */
function escaped(text: string): string {
  return NOTHING_TO_ESCAPE.test(text) ? text : JSON.stringify(text).slice(1, -1);
}

function codeOf(journey: Journey, ending: Ending | 'preflight'): string {
  if (journey.refusal !== undefined) return journey.refusal.code;
  if (ending !== 'complete') return ending;
  const shadow = journey.grant?.wouldRefuse;
  return shadow === undefined ? 'ok' : `shadow_${shadow.code}`;
}

/** An operator's fault: requests of this rule fail until it is fixed. OpenFGA's message names tuples, so it is left out. */
function logMisconfigured(
  { reason }: Refusal,
  request: Recorded,
  rule: Rule | undefined,
  log: RequestLines,
): void {
  const access = rule?.access.kind === 'relation' ? rule.access : undefined;
  log.error('OpenFGA refuses what a rule asks', {
    request_id: request.id,
    rule: rule?.path,
    type: access && typeOf(access.object),
    relation: access?.relation,
    reason,
  });
}

/** Whole microseconds: short in a line, and cheap to write there. */
function micros(ms: number): number {
  return Math.round(ms * MICROSECONDS);
}
