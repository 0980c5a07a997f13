import type { Refusal } from '../../shared/errors.ts';
import type { Principal } from './authenticate/principal.ts';
import type { Grant } from './authorize/authorize.ts';
import type { Admission } from './limit/limit.ts';
import type { Match, Rule } from './match/types.ts';
import type { RequestLog } from '../../shared/edge/request-log.ts';
import type { Log } from '../../shared/ports/log.ts';
import type { Metrics } from '../../shared/ports/metrics.ts';
import type { Ending } from '../../shared/ports/upstream.ts';
import type { GatewayRequest } from './read/request.ts';
import { typeOf } from './match/rules/object.ts';

/** What is known of a request so far, and how long each step took. One per request; read once, by the log. */
export class Journey {
  match: Match | undefined;
  principal: Principal | undefined;
  admission: Admission | undefined;
  grant: Grant | undefined;
  refusal: Refusal | undefined;
  matchMs = 0;
  authenticateMs = 0;
  limitMs = 0;
  authorizeMs = 0;
  upstreamMs = 0;
  readonly startedMs: number;
  private markMs: number;
  /** The step under way: when it fails, the time since the one before is its own. */
  private step: 'matchMs' | 'authenticateMs' | 'limitMs' | 'authorizeMs' | 'upstreamMs' = 'matchMs';

  constructor() {
    this.startedMs = this.markMs = performance.now();
  }

  matched(match: Match): void {
    this.match = match;
    this.matchMs = this.lap();
    this.step = 'authenticateMs';
  }

  authenticated(principal: Principal | undefined): void {
    this.principal = principal;
    this.authenticateMs = this.lap();
    this.step = 'limitMs';
  }

  limited(admission: Admission): void {
    this.admission = admission;
    this.limitMs = this.lap();
    this.step = 'authorizeMs';
  }

  authorized(grant: Grant): void {
    this.grant = grant;
    this.authorizeMs = this.lap();
    this.step = 'upstreamMs';
  }

  /** The upstream's answer began, or its absence was certain. */
  answered(): void {
    this.upstreamMs = this.lap();
  }

  refused(refusal: Refusal): void {
    this.refusal = refusal;
    this[this.step] += this.lap();
  }

  totalMs(): number {
    return performance.now() - this.startedMs;
  }

  private lap(): number {
    const before = this.markMs;
    this.markMs = performance.now();
    return this.markMs - before;
  }
}

export interface RecordDeps {
  readonly log: Log;
  readonly requests: RequestLog;
  readonly metrics: Metrics;
}

type Recorded = Pick<GatewayRequest, 'id' | 'method' | 'target' | 'address'>;

/**
 * One line and one measure per request. What passed is named by the pattern of its rule: a real path may name people. A
 * refusal names the path too, without its query: no rule, or the wrong one, is explained by nothing else.
 */
export function record(
  request: Recorded | undefined,
  journey: Journey,
  status: number,
  ending: Ending | 'preflight',
  { log, requests, metrics }: RecordDeps,
): void {
  const { refusal } = journey;
  const rule = journey.match?.rule;
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
    upstreamMs: refusal === undefined ? journey.upstreamMs : 0,
  });
  const shadow = journey.grant?.wouldRefuse;
  for (const each of [refusal, shadow])
    if (each?.code === 'authorization_misconfigured') sayMisconfigured(each, request, rule, log);
  if (!requests.wants(code)) return;
  log.info('request', {
    request_id: request?.id,
    method: request?.method,
    rule: rule?.path,
    target: rule?.target,
    status,
    code,
    reason: refusal?.reason,
    path: refusal === undefined || request === undefined ? undefined : requests.path(request.target),
    user: journey.principal?.user,
    address: request?.address,
    shadow: shadow && `${shadow.code}: ${shadow.reason}`,
    us: micros(totalMs),
    match_us: rule === undefined ? micros(journey.matchMs) : undefined,
    authenticate_us: micros(journey.authenticateMs),
    limit_us: micros(journey.limitMs),
    authorize_us: micros(journey.authorizeMs),
    upstream_us: micros(journey.upstreamMs),
  });
}

function codeOf(journey: Journey, ending: Ending | 'preflight'): string {
  if (journey.refusal !== undefined) return journey.refusal.code;
  if (ending !== 'complete') return ending;
  const shadow = journey.grant?.wouldRefuse;
  return shadow === undefined ? 'ok' : `shadow_${shadow.code}`;
}

/** An operator's fault: requests of this rule fail until it is mended. OpenFGA's message names tuples, so it is left out. */
function sayMisconfigured(
  { reason }: Refusal,
  request: Recorded | undefined,
  rule: Rule | undefined,
  log: Log,
): void {
  const asked = rule?.access.kind === 'relation' ? rule.access : undefined;
  log.error('OpenFGA refuses what a rule asks', {
    request_id: request?.id,
    rule: rule?.path,
    type: asked && typeOf(asked.object),
    relation: asked?.relation,
    reason,
  });
}

/** Whole microseconds: short in a line, and cheap to write there. */
function micros(ms: number): number {
  return Math.round(ms * 1_000);
}
