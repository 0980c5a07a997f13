import { circuitBreaker, type CircuitBreaker, type CircuitState } from '../../shared/circuit-breaker.ts';
import { Refusal } from '../../shared/errors.ts';
import type { Clock } from '../../shared/ports.ts';
import type { Answer, Upstream } from '../../shared/upstream.ts';

/** One circuit breaker per target. */
export interface Breakers {
  of(target: string): CircuitBreaker;
  states(): ReadonlyMap<string, CircuitState>;
}

export function breakers(targets: readonly string[], clock: Clock): Breakers {
  const made = new Map(targets.map((target) => [target, circuitBreaker(clock)]));
  const spare = circuitBreaker(clock);
  return {
    of: (target) => made.get(target) ?? spare,
    states: () => new Map([...made].map(([target, breaker]) => [target, breaker.state()])),
  };
}

/** An upstream that is left alone for a while after it could not be reached several times in a row. */
export function guarded<Exchange, Out extends Answer>(
  inner: Upstream<Exchange, Out>,
  circuits: Breakers,
): Upstream<Exchange, Out> {
  return {
    async forward(request, answer, exchange, events) {
      const breaker = circuits.of(request.target);
      if (!breaker.admits()) {
        throw new Refusal('upstream_unreachable', 'circuit open', { headers: { 'retry-after': '5' } });
      }
      try {
        const out = await inner.forward(request, answer, exchange, {
          answered(status) {
            breaker.succeeded();
            events.answered(status);
          },
          ended: (ending) => {
            events.ended(ending);
          },
        });
        breaker.released();
        return out;
      } catch (error) {
        if (isAway(error)) breaker.failed();
        else breaker.released();
        throw error;
      }
    },
  };
}

function isAway(error: unknown): boolean {
  return (
    error instanceof Refusal && (error.code === 'upstream_unreachable' || error.code === 'upstream_timeout')
  );
}
