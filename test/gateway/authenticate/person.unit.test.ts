import { expect, it } from 'vitest';
import type { Person, Principal, Verified } from '../../../functions/gateway/authenticate/principal.ts';
import { TokenCache } from '../../../functions/gateway/authenticate/remembered.ts';
import { manualClock } from '../../support/clock.ts';

const NOTHING = new Set<string>();
const admit = (verified: Verified, person: Person) => ({ ...verified, person }) as Principal;
const verify = async (token: string) => ({
  identity: { user: `user:${token}` } as Verified,
  untilMs: Infinity,
});

it('what is remembered of a person leaves its places with its last token, or once it is forgotten', async () => {
  for (const leave of ['evicted', 'forgotten']) {
    const cache = new TokenCache(verify, admit, { clock: manualClock(), maxAccepted: 1 });
    const { person } = await cache.verify('alice', '', NOTHING);
    const removed: unknown[] = [];
    const room = { remove: (entry: unknown) => void removed.push(entry) };
    const assertion = {
      room,
      caller: '',
      target: 'upstream',
      tenancy: undefined,
      jwt: '',
      untilMs: 0,
      used: false,
    };
    const own = { ...assertion };
    const rest = { allowed: true, untilMs: Infinity, next: undefined, used: false };
    const checks = ['view', 'edit'].map((relation) => {
      const checked = {
        room,
        person,
        relation,
        object: 'document:1',
        assertions: [{ ...assertion }],
        ...rest,
      };
      person.keep(checked);
      return checked;
    });
    const all = [own, ...checks, ...checks.flatMap(({ assertions }) => assertions)];
    person.assertions.push(own);
    expect(person.isFound).toBe(true);
    if (leave === 'evicted') await cache.verify('bob', '', NOTHING);
    else cache.forget('user:alice');
    expect(person.isFound).toBe(false);
    expect(new Set(removed)).toEqual(new Set(all));
    expect(removed).toHaveLength(all.length);
    expect(checks.map(({ relation, object }) => person.checked(relation, object))).toEqual([
      undefined,
      undefined,
    ]);
  }
});

it('what is remembered of a person stays while its only token is verified again', async () => {
  const clock = manualClock();
  const renewing = async (token: string) => ({ ...(await verify(token)), untilMs: clock.now() + 1_000 });
  const cache = new TokenCache(renewing, admit, { clock });
  const { person } = await cache.verify('alice', '', NOTHING);
  let removed = 0;
  const room = { remove: () => void (removed += 1) };
  const rest = { allowed: true, untilMs: Infinity, assertions: [], next: undefined, used: false };
  person.keep({ room, person, relation: 'view', object: 'document:1', ...rest });
  clock.advance(2);
  const again = await cache.verify('alice', '', NOTHING);
  expect(again.person).toBe(person);
  expect([person.tokens, person.isFound, removed]).toEqual([1, true, 0]);
  expect(person.checked('view', 'document:1')).toBeDefined();
});
