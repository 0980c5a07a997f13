import {
  ClientWriteRequestOnDuplicateWrites,
  ClientWriteRequestOnMissingDeletes,
  type OpenFgaClient,
  type TupleKey,
} from '@openfga/sdk';
import type { Tuple, Tuples } from '../../ports/tuples.ts';
import { guarded } from './client.ts';

const PAGE_SIZE = 100;

/** Tuples of one OpenFGA store. Needs server 1.10 or newer, where writes are idempotent. */
export function openFgaTuples(client: OpenFgaClient): Tuples {
  return {
    async read(filter, continuation) {
      const page = await guarded(() =>
        client.read(filter, {
          pageSize: PAGE_SIZE,
          ...(continuation && { continuationToken: continuation }),
        }),
      );
      const next = page.continuation_token;
      return { tuples: page.tuples.map(({ key }) => toTuple(key)), next: next === '' ? undefined : next };
    },
    async write({ writes = [], deletes = [] }) {
      if (writes.length + deletes.length === 0) return;
      await guarded(() =>
        client.write(
          {
            writes: writes.map(toKey),
            deletes: deletes.map(({ user, relation, object }) => ({ user, relation, object })),
          },
          {
            conflict: {
              onDuplicateWrites: ClientWriteRequestOnDuplicateWrites.Ignore,
              onMissingDeletes: ClientWriteRequestOnMissingDeletes.Ignore,
            },
          },
        ),
      );
    },
    async objectTypes() {
      const { authorization_model: model } = await guarded(() => client.readLatestAuthorizationModel());
      const types = model?.type_definitions ?? [];
      return types.flatMap(({ type, relations }) => (Object.keys(relations ?? {}).length > 0 ? [type] : []));
    },
  };
}

function toTuple({ user, relation, object, condition }: TupleKey): Tuple {
  return { user, relation, object, ...(condition && { condition: toCondition(condition) }) };
}

function toCondition({ name, context }: NonNullable<TupleKey['condition']>): NonNullable<Tuple['condition']> {
  return { name, ...(context && { context: { ...context } }) };
}

function toKey({ user, relation, object, condition }: Tuple): TupleKey {
  return {
    user,
    relation,
    object,
    ...(condition && {
      condition: { name: condition.name, ...(condition.context && { context: condition.context }) },
    }),
  };
}
