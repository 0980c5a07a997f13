import * as z from 'zod';
import { modelFrom, StoreClient, type Answer, type Fact } from './client.ts';
import type { Stage, SuiteCase } from './public-suite.ts';

export type Kind = 'check' | 'listObjects' | 'listUsers';

/** How many assertions were made and which of them did not hold. */
export interface Tally {
  readonly made: Record<Kind, number>;
  readonly failures: string[];
}

/** Where the tuples of a case live: written to the store, or brought along by every request. */
export type TupleSource = 'stored' | 'contextual';

const MAX_CONTEXTUAL_TUPLES = 100;

/** The names of the error numbers the suite expects. */
const CODES: Readonly<Record<number, string>> = {
  2000: 'validation_error',
  2002: 'authorization_model_resolution_too_complex',
  2021: 'type_not_found',
  2022: 'relation_not_found',
  2027: 'invalid_tuple',
};

const fault = z.object({ code: z.string() });
const checked = z.object({ allowed: z.boolean() });
const listedObjects = z.object({ objects: z.array(z.string()) });
const listedUsers = z.object({
  users: z.array(
    z.union([
      z.object({ object: z.object({ type: z.string(), id: z.string() }) }),
      z.object({ userset: z.object({ type: z.string(), id: z.string(), relation: z.string() }) }),
      z.object({ wildcard: z.object({ type: z.string() }) }),
    ]),
  ),
});

/** Later stages build on the tuples of earlier ones, so only one-stage cases can bring theirs along. */
export function canBeContextual({ stages }: SuiteCase): boolean {
  return stages.length === 1 && stages.every(({ tuples }) => tuples.length <= MAX_CONTEXTUAL_TUPLES);
}

export async function runCase(url: string, { stages }: SuiteCase, source: TupleSource): Promise<Tally> {
  const tally: Tally = { made: { check: 0, listObjects: 0, listUsers: 0 }, failures: [] };
  const store = await StoreClient.create(url, 'public-suite');
  for (const stage of stages) {
    await store.writeModel(modelFrom(stage.model));
    const facts = stage.tuples.map(factOf);
    if (source === 'stored') await store.writeAll(facts);
    await runStage(store, stage, source === 'stored' ? [] : facts, tally);
  }
  return tally;
}

async function runStage(
  store: StoreClient,
  stage: Stage,
  brought: readonly Fact[],
  tally: Tally,
): Promise<void> {
  for (const { tuple, contextualTuples, expectation, errorCode } of stage.checkAssertions) {
    const answer = await store.check(factOf(tuple), [...contextualTuples.map(factOf), ...brought]);
    record(
      tally,
      'check',
      tuple,
      errorCode ?? expectation,
      seen(answer, (body) => checked.parse(body).allowed),
    );
  }
  for (const { request, contextualTuples, expectation, errorCode } of stage.listObjectsAssertions) {
    const contextual = [...contextualTuples.map(factOf), ...brought];
    const answer = await store.listObjects(request.user, request.relation, request.type, contextual);
    const objects = seen(answer, (body) => listedObjects.parse(body).objects.toSorted());
    record(tally, 'listObjects', request, errorCode ?? expectation.toSorted(), objects);
  }
  for (const { request, contextualTuples, expectation, errorCode } of stage.listUsersAssertions) {
    const contextual = [...contextualTuples.map(factOf), ...brought];
    const [type = '', id = ''] = request.object.split(/:(.*)/);
    const answer = await store.listUsers([type, id], request.relation, filterOf(request.filters), contextual);
    const users = seen(answer, (body) => listedUsers.parse(body).users.map(nameOf).toSorted());
    record(tally, 'listUsers', request, errorCode ?? expectation.toSorted(), users);
  }
}

function record(tally: Tally, kind: Kind, asked: object, wanted: unknown, got: unknown): void {
  tally.made[kind] += 1;
  const expected = typeof wanted === 'number' ? CODES[wanted] : wanted;
  if (JSON.stringify(expected) === JSON.stringify(got)) return;
  tally.failures.push(
    `${kind} ${JSON.stringify(asked)}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`,
  );
}

function seen(answer: Answer, read: (body: unknown) => unknown): unknown {
  return answer.status === 200 ? read(answer.body) : fault.parse(answer.body).code;
}

function factOf({ user, relation, object }: { user: string; relation: string; object: string }): Fact {
  return [user, relation, object];
}

function filterOf([filter = '']: readonly string[]): object {
  const [type, relation] = filter.split('#');
  return relation === undefined ? { type } : { type, relation };
}

function nameOf(user: z.output<typeof listedUsers>['users'][number]): string {
  if ('wildcard' in user) return `${user.wildcard.type}:*`;
  if ('object' in user) return `${user.object.type}:${user.object.id}`;
  return `${user.userset.type}:${user.userset.id}#${user.userset.relation}`;
}
