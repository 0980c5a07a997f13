import { beforeEach, describe, expect, it } from 'vitest';
import { DatabaseUnavailable, type RowParser } from '../../../shared/ports/database.ts';
import { createGate, type Gate } from './gate.ts';

interface Account {
  readonly userId: string | null;
  readonly taken: boolean;
  readonly grouped: boolean;
  readonly tenant: string | null;
  readonly slug: string | null;
  readonly role: string | null;
}

const NOBODY: Account = { userId: null, taken: false, grouped: false, tenant: null, slug: null, role: null };
const ALICE: Account = {
  ...NOBODY,
  userId: 'id-of-alice',
  tenant: 'id-of-acme',
  slug: 'acme',
  role: 'admin',
};

/** Answers each look-up with the same account. */
class Accounts {
  account = ALICE;
  away = false;
  asked = 0;

  async query<T>(_statement: unknown, row: RowParser<T>): Promise<T[]> {
    this.asked += 1;
    if (this.away) throw new DatabaseUnavailable('switched off');
    return [row.parse(this.account)];
  }
}

let accounts: Accounts;
let gate: Gate;
let token: string;
beforeEach(async () => {
  accounts = new Accounts();
  gate = await createGate({ database: accounts });
  token = await gate.zitadel.sign({ sub: 'alice', exp: gate.clock.now() / 1_000 + 3_600 });
});

const tenantsOf = async () => (await gate.admit(token))?.tenancies.all.map(({ tenant }) => tenant);

describe('whose account a token is of', () => {
  it('is looked up once, and again after a minute', async () => {
    expect(await gate.admit(token)).toMatchObject({
      subject: 'id-of-alice',
      user: 'user:id-of-alice',
      formerUser: 'user:alice',
      caller: 'zitadel|alice',
    });
    gate.clock.advance(59);
    expect(gate.present(`Bearer ${token}`)).not.toBeInstanceOf(Promise);
    expect(accounts.asked).toBe(1);
    gate.clock.advance(2);
    await gate.admit(token);
    expect(accounts.asked).toBe(2);
  });

  it('changes within a minute of a link, of another role and of a removal from the tenant', async () => {
    accounts.account = NOBODY;
    expect(await gate.admit(token)).toMatchObject({ user: 'user:alice', tenancies: { all: [] } });
    accounts.account = ALICE;
    gate.clock.advance(61);
    expect(await gate.admit(token)).toMatchObject({ user: 'user:id-of-alice', subject: 'id-of-alice' });
    expect(await tenantsOf()).toEqual(['id-of-acme']);
    accounts.account = { ...ALICE, tenant: null, slug: null };
    gate.clock.advance(61);
    expect(await tenantsOf()).toEqual([]);
  });

  it('stays while the database is away, and its tenant is unknown after a minute; seconds after it is back all is well', async () => {
    const before = await gate.admit(token);
    accounts.away = true;
    gate.clock.advance(61);
    const during = await gate.admit(token);
    expect(during).toMatchObject({ user: before?.user, subject: before?.subject, tenancies: { all: [] } });
    expect(during?.tenancies.fault).toBeInstanceOf(DatabaseUnavailable);
    expect(during?.person).toBe(before?.person);
    accounts.away = false;
    gate.clock.advance(6);
    expect(await tenantsOf()).toEqual(['id-of-acme']);
  });

  it('is not guessed for a user who was forgotten meanwhile, nor for a new token', async () => {
    await gate.admit(token);
    gate.forget('user:id-of-alice');
    accounts.away = true;
    gate.clock.advance(61);
    expect((await gate.refuse(token)).code).toBe('database_unavailable');
    const another = await gate.zitadel.sign({ sub: 'alice', jti: '2' });
    expect((await gate.refuse(another)).code).toBe('database_unavailable');
  });

  it('leaves what else is remembered of the user in place', async () => {
    const person = (await gate.admit(token))?.person;
    gate.clock.advance(61);
    expect((await gate.admit(token))?.person).toBe(person);
    expect(person?.forgotten).toBe(false);
  });
});

describe('forgetting a user who is linked to another id', () => {
  it('works by either name, and gives both', async () => {
    for (const name of ['user:alice', 'user:id-of-alice']) {
      const before = await gate.admit(token);
      expect(gate.present(`Bearer ${token}`)).not.toBeInstanceOf(Promise);
      expect(gate.forget(name)).toContain('user:id-of-alice');
      expect(before?.person.forgotten).toBe(true);
      expect((await gate.admit(token))?.person).not.toBe(before?.person);
    }
  });

  it('of the same name at another issuer forgets both', async () => {
    await gate.admit(token);
    const bob = { ...ALICE, userId: 'id-of-bob' };
    accounts.account = bob;
    const other = await gate.zitadel.sign({ sub: 'alice', jti: 'other' });
    await gate.admit(other);
    expect(gate.forget('user:alice')).toEqual(['user:alice', 'user:id-of-alice', 'user:id-of-bob']);
  });
});

it('of a provider whose subjects are its own the user stays its own, the tenant is that of the row', async () => {
  const bearer = await gate.kanidm.sign({ sub: 'x' }, { header: { typ: 'at+jwt' } });
  expect(await gate.admit(bearer)).toMatchObject({
    user: 'user:kanidm|x',
    subject: 'x',
    tenancies: { all: [{ tenant: 'id-of-acme' }] },
  });
  accounts.away = true;
  const another = await gate.kanidm.sign({ sub: 'x', jti: '2' }, { header: { typ: 'at+jwt' } });
  expect(await gate.admit(another)).toMatchObject({ user: 'user:kanidm|x', tenancies: { all: [] } });
});

it('a subject that is another user’s id is refused, and its look-up not repeated for a while', async () => {
  accounts.account = { ...NOBODY, taken: true };
  for (let n = 0; n < 5; n++) expect((await gate.refuse(token)).code).toBe('invalid_token');
  expect(accounts.asked).toBe(1);
  accounts.account = ALICE;
  gate.clock.advance(6);
  expect(await gate.admit(token)).toMatchObject({ user: 'user:id-of-alice' });
});
