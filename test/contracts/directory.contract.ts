import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  Creation,
  Directory,
  DirectoryTenant,
  NewPerson,
  Person,
} from '../../shared/ports/directory.ts';

/** Long because every promise of one port is here. */
export interface DirectoryStage {
  readonly directory: Directory;
  /** The same provider with a token that it does not accept. */
  readonly stranger: Directory;
  /** Whether the provider's own sign-in takes this password. */
  signsIn(person: Person, password: string): Promise<boolean>;
  /** How long lists and groups may lag behind what was written, in milliseconds: 0 at the stand-ins. */
  readonly lagMs?: number;
  close(): Promise<void>;
}

const run = randomUUID().slice(0, 8);
const tenantOf = (slug: string): DirectoryTenant => ({
  id: randomUUID(),
  slug: `${slug}-${run}`,
  name: `${slug} ${run}`,
});

/** What the directories of all providers promise, whichever runtime calls them. Deletes the people it made; groups stay. */
export function directoryContract(name: string, open: () => Promise<DirectoryStage>): void {
  describe(`directory: ${name}`, () => {
    const [acme, globex] = [tenantOf('acme'), tenantOf('globex')];
    const made: string[] = [];
    let stage: DirectoryStage;
    let directory: Directory;
    beforeAll(async () => {
      stage = await open();
      directory = stage.directory;
      for (const tenant of [acme, globex])
        for (const role of ['member', 'admin'] as const) await directory.ensureGroup(tenant, role);
    });
    afterAll(async () => {
      for (const id of made) await directory.delete(id);
      await stage.close();
    });

    const newPerson = (local: string, changes: Partial<NewPerson> = {}): NewPerson => {
      const id = randomUUID();
      made.push(id);
      return {
        id,
        mail: `${local}.${run}@example.org`,
        mailVerified: true,
        displayName: `${local} Example`,
        tenant: acme,
        ...changes,
      };
    };
    const create = async (...people: NewPerson[]): Promise<readonly Creation[]> => directory.create(people);
    const outcomes = async (...people: NewPerson[]) =>
      (await create(...people)).map(({ outcome }) => outcome);
    const find = async (id: string): Promise<Person | undefined> => {
      const found = await directory.find([id]);
      if (found.outcome !== 'found') throw new Error(JSON.stringify(found));
      return found.people[0];
    };
    const there = async (person: NewPerson): Promise<Person> => {
      expect(await outcomes(person)).toEqual(['created']);
      return (await find(person.id))!;
    };

    /** Reads again while what is read lags. */
    const soon = async <T>(read: () => Promise<T>, fits: (value: T) => boolean): Promise<T> => {
      const end = Date.now() + (stage.lagMs ?? 0);
      for (;;) {
        const value = await read();
        if (fits(value) || Date.now() >= end) return value;
      }
    };
    const isIn = (id: string, group: string, wanted: boolean): Promise<boolean> =>
      soon(
        async () => (await find(id))?.groups.includes(group) ?? false,
        (is) => is === wanted,
      );
    const found = async (ids: readonly string[]): Promise<string[]> => {
      const people = await directory.find(ids);
      if (people.outcome !== 'found') throw new Error(JSON.stringify(people));
      return people.people.map(({ id }) => id).sort();
    };
    const listed = async (tenant: DirectoryTenant): Promise<string[]> => {
      const ids: string[] = [];
      let from: string | null = null;
      do {
        const page = await directory.list(tenant, from);
        if (page.outcome !== 'page') throw new Error(JSON.stringify(page));
        ids.push(...page.people.map(({ id }) => id));
        from = page.next;
      } while (from !== null);
      return ids;
    };

    it('needs rights, all of which are there, and names what a refused token lacks', async () => {
      expect(await directory.rights()).toMatchObject({ outcome: 'rights', missing: [] });
      const refused = await stage.stranger.rights();
      expect(refused).toMatchObject({ outcome: 'denied' });
      expect(refused.outcome === 'denied' && refused.remedy).toMatch(/\w/);
      expect(await stage.stranger.create([newPerson('stranger')])).toMatchObject([{ outcome: 'denied' }]);
    });

    it('creates a person under the chosen id, as they are to be', async () => {
      const person = newPerson('alice');
      expect(await create(person)).toMatchObject([{ outcome: 'created', password: 'none' }]);
      expect(await find(person.id)).toMatchObject({
        id: person.id,
        mail: person.mail,
        displayName: person.displayName,
        state: 'active',
      });
    });

    it('answers a repeated creation with who exists, and changes nothing of them', async () => {
      const person = newPerson('repeated');
      await there(person);
      const again = await create({ ...person, displayName: 'Someone Else' });
      expect(again).toMatchObject([{ outcome: 'exists', person: { id: person.id, mail: person.mail } }]);
      expect((await find(person.id))?.displayName).toBe(person.displayName);
    });

    it("answers for each of many in order, and one's fault is theirs alone", async () => {
      const old = newPerson('old');
      await there(old);
      const bad = newPerson('bad', { mail: 'not-an-address' });
      const many = Array.from({ length: 7 }, (_, at) => newPerson(`many${at}`));
      const [first, ...rest] = many;
      expect(await outcomes(first!, old, bad, ...rest)).toEqual([
        'created',
        'exists',
        'refused',
        ...rest.map(() => 'created'),
      ]);
      const ids = many.map(({ id }) => id).sort();
      expect(
        await soon(
          () => found(ids),
          ({ length }) => length === ids.length,
        ),
      ).toEqual(ids);
    });

    it('names the field that is refused, in the words of the provider', async () => {
      const [refused] = await create(newPerson('spaced', { mail: 'a b@example.org' }));
      expect(refused).toMatchObject({ outcome: 'refused', field: 'mail' });
      expect(refused?.outcome === 'refused' && refused.reason).toMatch(/400/);
    });

    it('shows the address for a name that is blank', async () => {
      const person = newPerson('blank', { displayName: '  ' });
      expect((await there(person)).displayName).toBe(person.mail);
    });

    it('takes one address twice or names it as the clash, as its traits say', async () => {
      const person = newPerson('twice');
      await there(person);
      const other = { ...newPerson('other'), mail: person.mail, tenant: globex };
      const [second] = await create(other);
      if (directory.traits.unique) {
        expect(second).toMatchObject({ outcome: 'clash' });
        expect(second?.outcome === 'clash' && second.fields).toContain('mail');
        expect(await find(other.id)).toBeUndefined();
      } else {
        expect(second).toMatchObject({ outcome: 'created' });
        expect((await find(other.id))?.mail).toBe(person.mail);
      }
    });

    it('has the same login name for the same person, which is what the person gets', async () => {
      const person = newPerson('named');
      expect(directory.nameOf(person)).toBe(directory.nameOf({ ...person }));
      expect((await there(person)).name).toBe(directory.nameOf(person));
    });

    it('finds those of many ids that exist', async () => {
      const [one, two] = [newPerson('one'), newPerson('two')];
      await create(one, two);
      const asked = [one.id, randomUUID(), two.id];
      expect(
        await soon(
          () => found(asked),
          ({ length }) => length === 2,
        ),
      ).toEqual([one.id, two.id].sort());
      expect(await find(randomUUID())).toBeUndefined();
    });

    it('lists everybody once, over its pages', async () => {
      const people = Array.from({ length: 5 }, (_, at) => newPerson(`listed${at}`, { tenant: globex }));
      await create(...people);
      const ids = people.map(({ id }) => id);
      const all = await soon(
        () => listed(globex),
        (some) => ids.every((id) => some.includes(id)),
      );
      expect(new Set(all).size).toBe(all.length);
      expect(all).toEqual(expect.arrayContaining(ids));
    });

    it('changes address and name, and leaves what is not named', async () => {
      const person = newPerson('changed');
      await there(person);
      const address = `new.${person.mail}`;
      const done = await directory.update(person.id, { mail: { address, verified: true } });
      expect(done).toMatchObject({ outcome: 'done' });
      expect(await find(person.id)).toMatchObject({ mail: address, displayName: person.displayName });
      await directory.update(person.id, { displayName: 'Changed Name' });
      expect(await find(person.id)).toMatchObject({ mail: address, displayName: 'Changed Name' });
      expect(await directory.update(randomUUID(), { displayName: 'x' })).toEqual({ outcome: 'absent' });
    });

    it('disables and enables, again and again', async () => {
      const person = newPerson('disabled');
      await there(person);
      for (let time = 0; time < 2; time++) {
        expect(await directory.disable(person.id)).toMatchObject({ outcome: 'done' });
        expect((await find(person.id))?.state).toBe('disabled');
      }
      for (let time = 0; time < 2; time++) {
        expect(await directory.enable(person.id)).toMatchObject({ outcome: 'done' });
        expect((await find(person.id))?.state).toBe('active');
      }
      expect(await directory.disable(randomUUID())).toEqual({ outcome: 'absent' });
      expect(await directory.enable(randomUUID())).toEqual({ outcome: 'absent' });
    });

    it('deletes once, and then nobody is there until the same id is created again', async () => {
      const person = newPerson('deleted');
      await there(person);
      expect(await directory.delete(person.id)).toEqual({ outcome: 'deleted' });
      expect(await directory.delete(person.id)).toEqual({ outcome: 'absent' });
      expect(await find(person.id)).toBeUndefined();
      const [again] = await create(person);
      expect(['created', 'revived', 'held']).toContain(again?.outcome);
      expect((await find(person.id)) === undefined).toBe(again?.outcome === 'held');
      if (directory.traits.heldSeconds === 0) expect(again?.outcome).toBe('created');
    });

    it('makes a group once, under one id that finds it', async () => {
      const tenant = tenantOf('initech');
      const first = await directory.ensureGroup(tenant, 'member');
      expect(first.outcome).toBe('created');
      const again = await directory.ensureGroup(tenant, 'member');
      expect(again).toEqual({ ...first, outcome: 'exists' });
      const shown = await soon(
        () => directory.findGroup(tenant, 'member'),
        ({ outcome }) => outcome === 'found',
      );
      expect(shown).toEqual({ ...first, outcome: 'found' });
      expect(first).toMatchObject({ group: { name: directory.groupName(tenant, 'member').name } });
      expect(await directory.findGroup(tenantOf('nowhere'), 'member')).toEqual({ outcome: 'absent' });
    });

    it.each(['member', 'admin'] as const)(
      'adds many as %s and takes them out, again and again',
      async (role) => {
        const ensured = await directory.ensureGroup(acme, role);
        if (ensured.outcome !== 'exists') throw new Error(JSON.stringify(ensured));
        const { group } = ensured;
        const people = Array.from({ length: 3 }, (_, at) => newPerson(`${role}${at}`));
        await create(...people);
        const ids = people.map(({ id }) => id);
        for (let time = 0; time < 2; time++) {
          expect(await directory.addMembers(group, ids)).toEqual({ outcome: 'done', absent: [] });
          for (const id of ids) expect(await isIn(id, group.id, true)).toBe(true);
        }
        if (role === 'member' && directory.traits.mode === 'organisations') return;
        const stays = ids[0]!;
        for (let time = 0; time < 2; time++) {
          expect(await directory.removeMembers(group, ids.slice(1))).toEqual({ outcome: 'done', absent: [] });
          for (const id of ids) expect(await isIn(id, group.id, id === stays)).toBe(id === stays);
        }
        const nobody = randomUUID();
        expect(await directory.addMembers(group, [nobody, stays])).toEqual({
          outcome: 'done',
          absent: [nobody],
        });
        expect(await directory.addMembers(group, [])).toEqual({ outcome: 'done', absent: [] });
      },
    );

    it('keeps both roles of one person, and those of another tenant apart', async () => {
      const person = newPerson('both');
      await there(person);
      const [member, admin, foreign] = await Promise.all([
        directory.ensureGroup(acme, 'member'),
        directory.ensureGroup(acme, 'admin'),
        directory.ensureGroup(globex, 'admin'),
      ]);
      for (const ensured of [member, admin]) {
        if (ensured.outcome !== 'exists') throw new Error(JSON.stringify(ensured));
        expect(await directory.addMembers(ensured.group, [person.id])).toMatchObject({ outcome: 'done' });
      }
      const ids = [member, admin, foreign].map((each) => (each.outcome === 'exists' ? each.group.id : ''));
      expect(new Set(ids).size).toBe(3);
      expect(await Promise.all(ids.map((id, at) => isIn(person.id, id, at < 2)))).toEqual([
        true,
        true,
        false,
      ]);
    });

    it('invites who has no credential, by a link of the provider', async () => {
      const person = newPerson('invited');
      await there(person);
      const invitation = await directory.invite(person.id, 3_600);
      if (invitation.outcome === 'denied') {
        expect(directory.traits.mode).toBe('sync');
        return;
      }
      expect(invitation.outcome).toBe('link');
      const again = await directory.invite(person.id, 3_600);
      const links = [invitation, again].map((each) => (each.outcome === 'link' ? each.url : ''));
      expect(new Set(links).size).toBe(2);
      for (const link of links) expect(new URL(link).search).not.toBe('');
      expect(await directory.invite(randomUUID(), 3_600)).toEqual({ outcome: 'absent' });
      expect(await directory.credentials(person.id)).toEqual({ outcome: 'known', kinds: [] });
      expect(await directory.credentials(randomUUID())).toEqual({ outcome: 'absent' });
    });

    const PASSWORD = 'Old-legacy-pw-2019!';
    /** bcrypt of the password, cost 10. */
    const HASH = '$2b$10$Vd7S1b8ZTOuVVXQ8nTqCPumZmFLSKU0KKUUPPAaowab6hA/5ZA/gq';

    it('takes an old password along where its traits say so', async () => {
      const { passwords } = directory.traits;
      const person = newPerson('password', { passwordHash: HASH });
      const [creation] = await create(person);
      expect(creation).toMatchObject({
        outcome: 'created',
        password: passwords === 'hash' ? 'taken' : 'none',
      });
      if (passwords === 'sign-in')
        expect(await directory.carryPassword(person.id, { plain: PASSWORD })).toEqual({ outcome: 'carried' });
      if (passwords === 'none') {
        const refused = await directory.carryPassword(person.id, { plain: PASSWORD });
        expect(refused).toMatchObject({ outcome: 'refused', field: 'password' });
        return;
      }
      const account = (await find(person.id))!;
      expect(await stage.signsIn(account, PASSWORD)).toBe(true);
      expect(await directory.carryPassword(randomUUID(), { plain: PASSWORD })).toEqual({ outcome: 'absent' });
    });

    it.each([
      ['of a faulty implementation', '$2x$10$qr6M2LE0Xf1qZDPfwlUJteF0hRIwdYF/VdNjE7g.1M6oVl3XTE2cW'],
      ['of a cost under 10', '$2b$04$JgX5MbQDhxLrYWcRFCW4DeMKrW8kE5Jp2STogNGIybE0c3DJ.gGIO'],
      ['of a cost over 16', '$2b$17$qr6M2LE0Xf1qZDPfwlUJteF0hRIwdYF/VdNjE7g.1M6oVl3XTE2cW'],
      ['that is malformed', '$2b$10$short'],
      ['that is empty', ''],
    ])('creates a person without a hash %s, and says so', async (_what, passwordHash) => {
      if (directory.traits.passwords !== 'hash') return;
      const [creation] = await create(newPerson(`hash${made.length}`, { passwordHash }));
      expect(creation).toMatchObject({ outcome: 'created', password: 'refused' });
    });
  });
}
