import { beforeEach, describe, expect, it } from 'vitest';
import { Person, type Principal } from '../../functions/gateway/authenticate/principal.ts';
import { authorize } from '../../functions/gateway/authorize/authorize.ts';
import { Decisions } from '../../functions/gateway/authorize/authorize.ts';
import type { Match } from '../../functions/gateway/match/types.ts';
import { checksInFlight } from '../../shared/caches/in-flight.ts';
import { RelationsUnavailable } from '../../shared/errors.ts';
import { AskedRelations } from '../support/asked-relations.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';

let server: AskedRelations;
let clock: ManualClock;
let alice: Principal;
let bob: Principal;

const known = (user: string) =>
  ({ user, claims: {}, person: Object.assign(new Person(), { tokens: 1 }) }) as unknown as Principal;

beforeEach(() => {
  server = new AskedRelations();
  clock = manualClock();
  [alice, bob] = [known('user:alice'), known('user:bob')];
});

const deciding = (allowTtlMs = 30_000, max?: number) =>
  new Decisions({ relations: server, allowTtlMs, clock, ...(max !== undefined && { max }) });

async function allows(
  decisions: Decisions,
  who = alice,
  relation = 'view',
  object = 'document:1',
): Promise<boolean> {
  return (await decisions.check(who, relation, object)).allowed;
}

describe('a decision is remembered for exactly what was asked', () => {
  it.each<[string, () => [Principal, string, string]]>([
    ['another user', () => [bob, 'view', 'document:1']],
    ['another relation', () => [alice, 'delete', 'document:1']],
    ['another object', () => [alice, 'view', 'document:2']],
  ])('%s is a question of its own', async (_name, other) => {
    const decisions = deciding();
    expect(await allows(decisions)).toBe(true);
    server.answer = async () => false;
    expect(await allows(decisions, ...other())).toBe(false);
    expect(await allows(decisions)).toBe(true);
    expect(await allows(decisions, ...other())).toBe(false);
    expect(server.asked).toHaveLength(2);
  });

  it('is given at once, without a promise', async () => {
    const decisions = deciding();
    await allows(decisions);
    expect(decisions.check(alice, 'view', 'document:1')).toMatchObject({ allowed: true });
  });
});

describe('how long it is remembered', () => {
  it.each([
    ['an allow', true, 30],
    ['a deny', false, 5],
  ])('%s (%s): %d seconds', async (_name, verdict, seconds) => {
    server.answer = async () => verdict;
    const decisions = deciding();
    await allows(decisions);
    clock.advance(seconds - 0.001);
    await allows(decisions);
    expect(server.asked).toHaveLength(1);
    clock.advance(0.001);
    await allows(decisions);
    expect(server.asked).toHaveLength(2);
  });

  it('a deny never longer than DECISION_TTL', async () => {
    server.answer = async () => false;
    const decisions = deciding(2_000);
    await allows(decisions);
    clock.advance(2);
    await allows(decisions);
    expect(server.asked).toHaveLength(2);
  });

  it('DECISION_TTL=0: not at all', async () => {
    const decisions = deciding(0);
    await allows(decisions);
    await allows(decisions);
    expect(server.asked).toHaveLength(2);
  });

  it('an error: never, and it is no deny', async () => {
    const decisions = deciding();
    server.answer = async () => Promise.reject(new RelationsUnavailable('away'));
    await expect(allows(decisions)).rejects.toThrow(RelationsUnavailable);
    server.answer = async () => true;
    expect(await allows(decisions)).toBe(true);
  });
});

describe('all people together', () => {
  it('have bounded room, where what was not used again goes first', async () => {
    const decisions = deciding(30_000, 3);
    for (const object of ['a:1', 'a:2', 'a:3']) await allows(decisions, alice, 'view', object);
    await allows(decisions, alice, 'view', 'a:1');
    await allows(decisions, bob, 'view', 'a:4');
    expect(server.asked).toHaveLength(4);
    await allows(decisions, alice, 'view', 'a:1');
    expect(server.asked).toHaveLength(4);
    await allows(decisions, alice, 'view', 'a:2');
    expect(server.asked).toHaveLength(5);
  });

  it('get back the places of a user whose tokens are gone or forgotten', async () => {
    for (const leave of [
      (person: Person) => (person.tokens = 0),
      (person: Person) => (person.forgotten = true),
    ]) {
      const decisions = deciding(30_000, 4);
      const [stays, leaves] = [known('user:stays'), known('user:leaves')];
      await allows(decisions, stays, 'view', 'a:1');
      for (const relation of ['one', 'two', 'one', 'two']) await allows(decisions, leaves, relation, 'b:1');
      const late = server.pending();
      const underWay = allows(decisions, leaves, 'three', 'b:1');
      leave(leaves.person);
      leaves.person.free();
      late.resolve(true);
      // Serves its request alone.
      expect(await underWay).toBe(true);
      server.answer = async () => true;
      for (const object of ['a:2', 'a:3', 'a:4']) await allows(decisions, stays, 'view', object);
      const before = server.asked.length;
      for (const object of ['a:1', 'a:2', 'a:3', 'a:4']) await allows(decisions, stays, 'view', object);
      expect(server.asked).toHaveLength(before);
    }
  });

  it('of one object lose the relation that has to go, and no other', async () => {
    const relations = ['one', 'two', 'three', 'four'];
    for (const used of relations) {
      const decisions = deciding(30_000, 4);
      const who = known('user:carol');
      for (const relation of relations) await allows(decisions, who, relation, 'a:1');
      for (const relation of relations) if (relation !== used) await allows(decisions, who, relation, 'a:1');
      await allows(decisions, bob, used, 'b:1');
      const before = server.asked.length;
      for (const relation of relations) if (relation !== used) await allows(decisions, who, relation, 'a:1');
      expect(server.asked).toHaveLength(before);
      await allows(decisions, who, used, 'a:1');
      expect(server.asked).toHaveLength(before + 1);
    }
  });
});

describe('a person who is forgotten', () => {
  it('is asked about anew by whoever still holds it', async () => {
    const decisions = deciding();
    await allows(decisions);
    alice.person.forgotten = true;
    server.answer = async () => false;
    expect(await allows(decisions)).toBe(false);
    expect(await allows(decisions)).toBe(false);
    expect(server.asked).toHaveLength(3);
  });

  it('gains nothing by an answer that was under way', async () => {
    const decisions = new Decisions({ relations: checksInFlight(server), allowTtlMs: 30_000, clock });
    const late = server.pending();
    const before = allows(decisions);
    alice.person.forgotten = true;
    const again = known('user:alice');
    late.resolve(true);
    expect(await before).toBe(true);
    server.answer = async () => false;
    expect(await allows(decisions, again)).toBe(false);
  });
});

describe('a shadow rule', () => {
  const match = (mode: 'shadow' | 'enforce') =>
    ({
      rule: { access: { kind: 'relation', relation: 'view', object: 'document:1' }, mode },
      params: {},
    }) as unknown as Match;

  it('grants what it would refuse, and claims no relation then', async () => {
    server.answer = async () => false;
    const decisions = deciding();
    const grant = await authorize(match('shadow'), alice, undefined, decisions);
    expect(grant).toMatchObject({ kind: 'relation', wouldRefuse: { code: 'forbidden' } });
    expect(grant.checked).toBeUndefined();
    expect(() => authorize(match('enforce'), alice, undefined, decisions)).toThrow(/not view of document:1/);
  });

  it('claims the relation that holds', async () => {
    const grant = await authorize(match('shadow'), alice, undefined, deciding());
    expect(grant.checked).toMatchObject({ relation: 'view', object: 'document:1', allowed: true });
    expect(grant.wouldRefuse).toBeUndefined();
  });
});
