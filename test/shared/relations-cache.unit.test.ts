import { beforeEach, describe, expect, it } from 'vitest';
import { RelationsUnavailable } from '../../shared/errors.ts';
import type { RelationQuery, Relations } from '../../shared/ports/relations.ts';
import { cachedRelations, sharedInFlight } from '../../shared/caches/relations.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';

const VIEW: RelationQuery = { user: 'user:alice', relation: 'view', object: 'document:1' };

/** Relations whose answers the test gives by hand. */
class Server implements Relations {
  readonly asked: RelationQuery[] = [];
  answer: (query: RelationQuery) => Promise<boolean> = async () => true;
  check(query: RelationQuery): Promise<boolean> {
    this.asked.push(query);
    return this.answer(query);
  }
  async ping(): Promise<void> {}
}

let server: Server;
let clock: ManualClock;
beforeEach(() => {
  server = new Server();
  clock = manualClock();
});

const cached = (scope = 'store/model', allowTtlMs = 30_000) =>
  cachedRelations(server, { scope, allowTtlMs, clock });

/** A verdict that arrives when the test says so. */
function pending() {
  const { promise, resolve, reject } = deferred<boolean>();
  server.answer = () => promise;
  return { resolve, reject };
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}

describe('a verdict is remembered for exactly what was asked', () => {
  it.each<[string, Partial<RelationQuery>]>([
    ['another user', { user: 'user:bob' }],
    ['another relation', { relation: 'delete' }],
    ['another object', { object: 'document:2' }],
    ['another context', { context: { ip: '192.0.2.1' } }],
  ])('%s is a question of its own', async (_name, change) => {
    const relations = cached();
    expect(await relations.check(VIEW)).toBe(true);
    server.answer = async () => false;
    expect(await relations.check({ ...VIEW, ...change })).toBe(false);
    expect(await relations.check(VIEW)).toBe(true);
    expect(server.asked).toHaveLength(2);
  });

  it('two contexts of one tuple are two entries, and the order of their members is none', async () => {
    const relations = cached();
    await relations.check({ ...VIEW, context: { a: 1, b: { c: 2, d: 3 } } });
    await relations.check({ ...VIEW, context: { b: { d: 3, c: 2 }, a: 1 } });
    expect(server.asked).toHaveLength(1);
    await relations.check({ ...VIEW, context: { a: 1, b: { c: 3, d: 2 } } });
    expect(server.asked).toHaveLength(2);
  });

  it('is given at once, without a promise', async () => {
    const relations = cached();
    await relations.check(VIEW);
    expect(relations.check(VIEW)).toBe(true);
  });
});

describe('how long it is remembered', () => {
  it.each([
    ['an allow', true, 30],
    ['a deny', false, 5],
  ])('%s (%s): %d seconds', async (_name, verdict, seconds) => {
    server.answer = async () => verdict;
    const relations = cached();
    await relations.check(VIEW);
    clock.advance(seconds - 0.001);
    await relations.check(VIEW);
    expect(server.asked).toHaveLength(1);
    clock.advance(0.001);
    await relations.check(VIEW);
    expect(server.asked).toHaveLength(2);
  });

  it('a deny never longer than DECISION_TTL', async () => {
    server.answer = async () => false;
    const relations = cached('store/model', 2_000);
    await relations.check(VIEW);
    clock.advance(2);
    await relations.check(VIEW);
    expect(server.asked).toHaveLength(2);
  });

  it('DECISION_TTL=0: not at all', async () => {
    const relations = cached('store/model', 0);
    await relations.check(VIEW);
    await relations.check(VIEW);
    expect(server.asked).toHaveLength(2);
  });

  it('an error: never, and it is no deny', async () => {
    const relations = cached();
    server.answer = async () => Promise.reject(new RelationsUnavailable('away'));
    await expect(relations.check(VIEW)).rejects.toThrow(RelationsUnavailable);
    server.answer = async () => true;
    expect(await relations.check(VIEW)).toBe(true);
  });

  it('a fresh question is always asked, and its answer kept', async () => {
    const relations = cached();
    await relations.check(VIEW);
    server.answer = async () => false;
    expect(await relations.check({ ...VIEW, consistency: 'fresh' })).toBe(false);
    expect(await relations.check(VIEW)).toBe(false);
    expect(server.asked).toHaveLength(2);
  });
});

describe('forget', () => {
  it("drops the user's verdicts, and no one else's", async () => {
    const relations = cached();
    await relations.check(VIEW);
    await relations.check({ ...VIEW, user: 'user:bob' });
    relations.forget('user:alice');
    await relations.check({ ...VIEW, user: 'user:bob' });
    expect(server.asked).toHaveLength(2);
    await relations.check(VIEW);
    expect(server.asked).toHaveLength(3);
  });

  it('a verdict asked before and answered after is not kept', async () => {
    const relations = cached();
    const late = pending();
    const verdict = relations.check(VIEW);
    relations.forget('user:alice');
    late.resolve(true);
    expect(await verdict).toBe(true);
    server.answer = async () => false;
    expect(await relations.check(VIEW)).toBe(false);
  });

  it('of 50,000 users, one after the other, costs nothing that grows with what is remembered', async () => {
    const relations = cached('store/model', 3_600_000);
    const users = Array.from({ length: 50_000 }, (_, n) => `user:${n}`);
    for (const user of users) await relations.check({ ...VIEW, user });
    // Looking at every entry each time would take half an hour.
    for (const user of users) relations.forget(user);
    await relations.check({ ...VIEW, user: 'user:49999' });
    expect(server.asked).toHaveLength(50_001);
  }, 120_000);

  it('of others does not keep a verdict under way from being remembered', async () => {
    const relations = cached();
    const late = pending();
    const verdict = relations.check(VIEW);
    relations.forget('user:bob');
    late.resolve(true);
    await verdict;
    expect(relations.check(VIEW)).toBe(true);
    expect(server.asked).toHaveLength(1);
  });

  it('leaves nothing behind of a user: what is asked anew is remembered anew', async () => {
    const relations = cached();
    for (let round = 0; round < 3; round++) {
      await relations.check(VIEW);
      relations.forget('user:alice');
    }
    await relations.check(VIEW);
    expect(relations.check(VIEW)).toBe(true);
    expect(server.asked).toHaveLength(4);
  });

  it('nobody joins a question that was asked before it', async () => {
    const relations = cachedRelations(sharedInFlight(server), { scope: 's', allowTtlMs: 30_000, clock });
    const late = pending();
    const before = relations.check(VIEW);
    relations.forget('user:alice');
    server.answer = async () => false;
    expect(await relations.check(VIEW)).toBe(false);
    late.resolve(true);
    await before;
    expect(await relations.check(VIEW)).toBe(false);
    expect(server.asked).toHaveLength(2);
  });
});

describe('identical questions at the same time', () => {
  it('become one, also when it fails, and the next is asked anew', async () => {
    const shared = sharedInFlight(server);
    const late = pending();
    const together = Promise.allSettled([shared.check(VIEW), shared.check(VIEW), shared.check(VIEW)]);
    expect(server.asked).toHaveLength(1);
    late.reject(new RelationsUnavailable('away'));
    expect((await together).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    server.answer = async () => true;
    expect(await shared.check(VIEW)).toBe(true);
  });

  it('with two contexts stay two', async () => {
    const shared = sharedInFlight(server);
    await Promise.all([shared.check(VIEW), shared.check({ ...VIEW, context: { a: 1 } })]);
    expect(server.asked).toHaveLength(2);
  });
});

describe('a check under way when rights change', () => {
  it.each([30_000, 0])('is joined by nobody afterwards (allows kept for %i ms)', async (allowTtlMs) => {
    const relations = cachedRelations(sharedInFlight(server), { scope: 'store/model', allowTtlMs, clock });
    const before = pending();
    const early = relations.check(VIEW);
    relations.forget(VIEW.user);
    server.answer = async () => false;
    expect(await relations.check(VIEW)).toBe(false);
    before.resolve(true);
    expect(await early).toBe(true);
    expect(await relations.check(VIEW)).toBe(false);
  });
});
