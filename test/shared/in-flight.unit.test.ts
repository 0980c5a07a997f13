import { beforeEach, describe, expect, it } from 'vitest';
import { checksInFlight } from '../../shared/caches/in-flight.ts';
import { RelationsUnavailable } from '../../shared/errors.ts';
import type { RelationQuery } from '../../shared/ports/relations.ts';
import { AskedRelations } from '../support/asked-relations.ts';

const VIEW: RelationQuery = { user: 'user:alice', relation: 'view', object: 'document:1' };

let server: AskedRelations;
beforeEach(() => {
  server = new AskedRelations();
});

describe('identical questions at the same time', () => {
  it('become one, also when it fails, and the next is asked anew', async () => {
    const shared = checksInFlight(server);
    const late = server.pending();
    const together = Promise.allSettled([shared.check(VIEW), shared.check(VIEW), shared.check(VIEW)]);
    expect(server.asked).toHaveLength(1);
    late.reject(new RelationsUnavailable('away'));
    expect((await together).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    server.answer = async () => true;
    expect(await shared.check(VIEW)).toBe(true);
  });

  it.each<[string, Partial<RelationQuery>]>([
    ['another user', { user: 'user:bob' }],
    ['another relation', { relation: 'delete' }],
    ['another object', { object: 'document:2' }],
    ['another context', { context: { a: 1 } }],
    ['another consistency', { consistency: 'fresh' }],
  ])('of %s stay two', async (_name, change) => {
    const shared = checksInFlight(server);
    await Promise.all([shared.check(VIEW), shared.check({ ...VIEW, ...change })]);
    expect(server.asked).toHaveLength(2);
  });

  it('are one whatever the order of members in their context', async () => {
    const shared = checksInFlight(server);
    await Promise.all([
      shared.check({ ...VIEW, context: { a: 1, b: { c: 2, d: 3 } } }),
      shared.check({ ...VIEW, context: { b: { d: 3, c: 2 }, a: 1 } }),
    ]);
    expect(server.asked).toHaveLength(1);
  });
});

describe('a check under way when rights change', () => {
  it('is joined by nobody afterwards', async () => {
    const shared = checksInFlight(server);
    const before = server.pending();
    const early = shared.check(VIEW);
    shared.forget(VIEW.user);
    server.answer = async () => false;
    expect(await shared.check(VIEW)).toBe(false);
    before.resolve(true);
    expect(await early).toBe(true);
    expect(await shared.check(VIEW)).toBe(false);
  });
});
