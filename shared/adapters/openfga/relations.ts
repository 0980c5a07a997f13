import { ConsistencyPreference, type OpenFgaClient } from '@openfga/sdk';
import { RelationsUnavailable } from '../../errors.ts';
import type { Relations } from '../../ports/relations.ts';
import { guarded } from './client.ts';

/** Checks against one OpenFGA store. */
export function openFgaRelations(client: OpenFgaClient): Relations {
  return {
    async check(query) {
      const consistency =
        query.consistency === 'fresh'
          ? ConsistencyPreference.HigherConsistency
          : ConsistencyPreference.MinimizeLatency;
      const { user, relation, object, context } = query;
      const answer = await guarded(() =>
        client.check({ user, relation, object, ...(context && { context }) }, { consistency }),
      );
      if (typeof answer.allowed !== 'boolean')
        throw new RelationsUnavailable('OpenFGA answered without a verdict');
      return answer.allowed;
    },
    async ping() {
      await guarded(() => client.getStore());
    },
  };
}
