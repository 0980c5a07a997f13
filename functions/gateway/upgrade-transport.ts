import { lastAnswer } from '../../shared/http-text.ts';
import type { Answer, UpgradeExchange, Upstream } from '../../shared/upstream.ts';
import type { Transport } from './index.ts';

/** The gateway on a bare socket: Node takes an upgrade request out of its server's hands. */
export function upgradeTransport(
  upstream: Upstream<UpgradeExchange, Answer>,
): Transport<UpgradeExchange, Answer> {
  return {
    upstream,
    answer(problem, { socket }) {
      lastAnswer(socket, problem);
      return { status: problem.status };
    },
  };
}
