import type { Refusal } from '../../shared/errors.ts';
import type { RequestLog } from '../../shared/edge/request-log.ts';
import type { Log, Metrics } from '../../shared/ports.ts';
import type { Ending } from '../../shared/upstream.ts';
import type { Journey } from './journey.ts';
import type { GatewayRequest } from './request.ts';
import { typeOf } from './rules/object.ts';
import type { Rule } from './rules/types.ts';

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
