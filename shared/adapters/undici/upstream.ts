import type { Answer, NodeExchange, Upstream } from '../../ports/upstream.ts';
import { Passage } from './passage.ts';
import { UndiciTarget } from './target.ts';

export interface NodeUpstream extends Upstream<NodeExchange, Answer> {
  close(): Promise<void>;
}

/** Upstream of the Node entry, by undici's dispatcher, without Request, Response or web streams. */
export function undiciUpstream(): NodeUpstream {
  const targets = new Map<string, UndiciTarget>();
  const targetOf = (base: string): UndiciTarget => {
    let target = targets.get(base);
    if (target === undefined) targets.set(base, (target = new UndiciTarget(new URL(base))));
    return target;
  };
  return {
    forward(request, answer, exchange, events) {
      return new Passage(request, answer, exchange, events, targetOf(request.base)).through();
    },
    async close() {
      await Promise.all([...targets.values()].map((target) => target.close()));
    },
  };
}
