import type { Refusal } from '../../shared/errors.ts';
import type { Log, Metrics } from '../../shared/ports.ts';
import type { Ending } from '../../shared/upstream.ts';
import type { Journey } from './journey.ts';
import type { GatewayRequest } from './request.ts';
import { typeOf } from './rules/object.ts';
import type { Rule } from './rules/types.ts';

/** One line and one measure per request. The path is the rule's pattern: a real path may name people or carry secrets. */
export function record(
  request: GatewayRequest | undefined,
  journey: Journey,
  status: number,
  ending: Ending,
  to: { readonly log: Log; readonly metrics: Metrics },
): void {
  const rule = journey.match?.rule;
  const shadow = journey.grant?.wouldRefuse;
  const passed = shadow === undefined ? 'ok' : (`shadow_${shadow.code}` as const);
  const code = journey.refusal?.code ?? (ending === 'complete' ? passed : ending);
  const totalMs = journey.totalMs();
  to.metrics.request({
    rule: rule?.path ?? '',
    target: rule?.target ?? '',
    status,
    code,
    totalMs,
    upstreamMs: journey.upstreamMs,
  });
  for (const refusal of [journey.refusal, shadow])
    if (refusal?.code === 'authorization_misconfigured') sayMisconfigured(refusal, request, rule, to.log);
  to.log.info('request', {
    request_id: request?.id,
    method: request?.method,
    rule: rule?.path,
    target: rule?.target,
    status,
    code,
    reason: journey.refusal?.reason,
    user: journey.principal?.user,
    address: request?.address,
    shadow: shadow && `${shadow.code}: ${shadow.reason}`,
    us: micros(totalMs),
    authenticate_us: micros(journey.authenticateMs),
    limit_us: micros(journey.limitMs),
    authorize_us: micros(journey.authorizeMs),
    upstream_us: micros(journey.upstreamMs),
  });
}

/** Nobody but the operator can end it, and requests of this rule fail until then. OpenFGA's own words name tuples: not here. */
function sayMisconfigured(
  { reason }: Refusal,
  request: GatewayRequest | undefined,
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
