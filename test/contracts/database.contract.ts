import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import {
  DatabaseError,
  DatabaseUnavailable,
  UnexpectedRow,
  empty,
  join,
  json,
  parseRows,
  sql,
  type Database,
} from '../../shared/ports/database.ts';

const Value = z.object({ value: z.unknown() });
const Count = z.object({ count: z.number() });
const SECRET = 'hunter2-do-not-tell';

/** What every adapter of the database port keeps. */
export function databaseContract(name: string, open: () => Promise<Database>): void {
  describe(`database: ${name}`, () => {
    let db: Database;
    const valueOf = async (statement: ReturnType<typeof sql>): Promise<unknown> =>
      (await db.query(statement, Value))[0]?.value;

    beforeAll(async () => {
      db = await open();
      await db.execute(sql`drop table if exists thing`);
      await db.execute(sql`create table thing (
        id int primary key, name text unique, amount int constraint thing_amount_positive check (amount > 0))`);
    });
    afterAll(async () => {
      await db.close();
    });

    it.each([
      ['int4', sql`select 42::int4 as value`, 42],
      ['int8', sql`select 9007199254740991::int8 as value`, 9007199254740991],
      ['count(*)', sql`select count(*) as value from thing where id = -1`, 0],
      ['float8', sql`select 1.5::float8 as value`, 1.5],
      ['numeric', sql`select 12345678901234567890.123::numeric as value`, '12345678901234567890.123'],
      ['bool', sql`select true as value`, true],
      ['text', sql`select 'ünï\\code'::text as value`, 'ünï\\code'],
      [
        'uuid',
        sql`select '018f0000-0000-7000-8000-000000000001'::uuid as value`,
        '018f0000-0000-7000-8000-000000000001',
      ],
      ['date', sql`select '2025-02-03'::date as value`, '2025-02-03'],
      [
        'timestamptz',
        sql`select '2025-02-03 04:05:06.789123+02'::timestamptz as value`,
        new Date('2025-02-03T02:05:06.789Z'),
      ],
      ['jsonb', sql`select '{"a":[1,null,"x"]}'::jsonb as value`, { a: [1, null, 'x'] }],
      ['bytea', sql`select '\\x00ff10'::bytea as value`, new Uint8Array([0, 255, 16])],
      ['inet', sql`select '10.0.0.1'::inet as value`, '10.0.0.1'],
      [
        'text[]',
        sql`select array['a,b', 'c"d', 'e\\f', null, 'NULL', ''] as value`,
        ['a,b', 'c"d', 'e\\f', null, 'NULL', ''],
      ],
      ['int8[]', sql`select array[1::int8, 2] as value`, [1, 2]],
      ['empty list', sql`select '{}'::uuid[] as value`, []],
      ['null', sql`select null::int4 as value`, null],
    ])('returns %s in one form whatever the driver', async (_type, statement, expected) => {
      expect(await valueOf(statement)).toEqual(expected);
    });

    it('refuses an int8 that a number cannot hold instead of rounding it', async () => {
      await expect(valueOf(sql`select 9007199254740993::int8 as value`)).rejects.toBeInstanceOf(
        UnexpectedRow,
      );
    });

    it('brings parameters of every kind back unchanged', async () => {
      const when = new Date('2025-01-02T03:04:05.006Z');
      const bytes = new Uint8Array([1, 0, 254]);
      expect(await valueOf(sql`select ${when}::timestamptz as value`)).toEqual(when);
      expect(await valueOf(sql`select ${bytes}::bytea as value`)).toEqual(bytes);
      expect(await valueOf(sql`select ${json({ a: "it's" })}::jsonb as value`)).toEqual({ a: "it's" });
      expect(await valueOf(sql`select ${false}::bool as value`)).toBe(false);
      expect(await valueOf(sql`select ${null}::text as value`)).toBeNull();
      expect(await valueOf(sql`select ${['a"b', null, 'c\\d', '{}']}::text[] as value`)).toEqual([
        'a"b',
        null,
        'c\\d',
        '{}',
      ]);
      expect(await valueOf(sql`select ${10n ** 15n}::int8 as value`)).toBe(1e15);
    });

    it('sends values as parameters, never as text of the statement', async () => {
      const hostile = `'); drop table thing; --`;
      expect(await valueOf(sql`select ${hostile}::text as value`)).toBe(hostile);
      expect(await valueOf(sql`select to_regclass('thing')::text as value`)).toBe('thing');
    });

    it('refuses a second statement behind a semicolon', async () => {
      await expect(db.execute(sql`select 1; drop table thing`)).rejects.toMatchObject({ code: '42601' });
    });

    it('composes fragments and numbers their parameters in order', async () => {
      const low = sql`n > ${2}`;
      const filters = join([low, sql`n < ${6}`], sql` and `);
      const statement = sql`select n::int4 as value from generate_series(1, ${9}::int4) n where ${filters} ${empty} order by n`;
      expect(await db.query(statement, Value)).toEqual([{ value: 3 }, { value: 4 }, { value: 5 }]);
    });

    it('commits all statements of a transaction and answers for each', async () => {
      const [inserted, counted] = await db.transaction([
        sql`insert into thing (id, name) values (${10}, 'ten'), (11, 'eleven')`,
        sql`select count(*)::int4 as count from thing where id in (10, 11)`,
      ]);
      expect(inserted).toEqual({ rows: [], count: 2 });
      expect(parseRows(counted?.rows ?? [], Count)).toEqual([{ count: 2 }]);
    });

    it('keeps nothing of a transaction whose last statement is refused', async () => {
      const attempt = db.transaction([
        sql`insert into thing (id) values (20)`,
        sql`insert into thing (id, amount) values (21, ${-1})`,
      ]);
      await expect(attempt).rejects.toMatchObject({ code: '23514', constraint: 'thing_amount_positive' });
      expect(await db.query(sql`select count(*) as count from thing where id >= 20`, Count)).toEqual([
        { count: 0 },
      ]);
    });

    it('goes on after a refused transaction', async () => {
      await expect(db.transaction([sql`select 1/0`])).rejects.toMatchObject({ code: '22012' });
      expect(await db.execute(sql`select 1`)).toBe(1);
    });

    it.each(['read committed', 'repeatable read', 'serializable'] as const)(
      'runs a transaction at %s',
      async (isolation) => {
        const [result] = await db.transaction(
          [sql`select current_setting('transaction_isolation') as value`],
          {
            isolation,
          },
        );
        expect(result?.rows).toEqual([{ value: isolation }]);
      },
    );

    it('says which constraint refused, and no value', async () => {
      await db.execute(sql`insert into thing (id, name) values (30, ${SECRET})`);
      const error = await db
        .execute(sql`insert into thing (id, name) values (31, ${SECRET})`)
        .catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DatabaseError);
      expect(error).toMatchObject({ code: '23505', constraint: 'thing_name_key', table: 'thing' });
      expect(Object.values(error as object).join() + (error as Error).stack!).not.toContain(SECRET);
      expect((error as Error).cause).toBeUndefined();
    });

    it('does not repeat a value that Postgres quotes in its own message', async () => {
      const error = await db.execute(sql`select ${SECRET}::uuid`).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ name: 'DatabaseError', code: '22P02' });
      expect((error as Error).message).not.toContain(SECRET);
    });

    it('names the missing table or column', async () => {
      await expect(db.execute(sql`select * from nowhere`)).rejects.toThrow(/42P01.*nowhere/);
    });

    it('refuses a row that is not of the expected shape', async () => {
      await expect(db.query(sql`select 'x' as count`, Count)).rejects.toBeInstanceOf(UnexpectedRow);
    });

    it('answers many questions at once', async () => {
      const asked = Array.from({ length: 30 }, (_, n) => valueOf(sql`select ${n}::int4 as value`));
      expect(await Promise.all(asked)).toEqual(Array.from({ length: 30 }, (_, n) => n));
    });
  });
}

/** A database whose bound is short, or that is not there. */
export function unavailableContract(name: string, open: (state: 'slow' | 'away') => Promise<Database>): void {
  describe(`database away: ${name}`, () => {
    it('gives up on a statement at its bound, and serves the next one', async () => {
      const db = await open('slow');
      await expect(db.execute(sql`select pg_sleep(30)`)).rejects.toBeInstanceOf(DatabaseUnavailable);
      await db.ping();
      await db.close();
    });

    it('tells an unreachable server from a refused statement', async () => {
      const db = await open('away');
      await expect(db.ping()).rejects.toBeInstanceOf(DatabaseUnavailable);
      await db.close();
    });
  });
}
