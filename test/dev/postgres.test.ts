import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgres, type Postgres } from '../../dev/postgres.ts';
import { FULL } from '../support/scale.ts';

// test/contracts/database-pglite.test.ts has what it answers each time.
let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(() => postgres.close());

it.skipIf(!FULL)('answers queries over its socket, several connections side by side', async () => {
  const answers = await Promise.all([
    query(postgres.url, "select 'one' || 1"),
    query(postgres.url, 'create table kept (id int)').then(() =>
      query(postgres.url, 'insert into kept values (7) returning id::text'),
    ),
  ]);
  expect(answers).toEqual([['one1'], ['7']]);
  expect(await query(postgres.url, 'select id from kept')).toEqual(['7']);
});

it.skipIf(!FULL)(
  'gives each connection the search path of the database, whatever pg_dump has left of its own',
  async () => {
    await query(postgres.url, "select set_config('search_path', '', false)");
    expect(await query(postgres.url, 'show search_path')).not.toEqual(['']);
  },
);

it.skipIf(!FULL)('stops although a client is still connected', async () => {
  const another = await startPostgres();
  const socket = connect(Number(new URL(another.url).port), '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(startup());
  await new Promise((resolve) => socket.once('data', resolve));
  const ended = new Promise((resolve) => socket.once('close', resolve));
  await another.close();
  socket.destroy();
  await ended;
  await expect(query(another.url, 'select 1')).rejects.toThrow(/ECONNREFUSED/);
});

/** One simple query in protocol 3.0; the first column of every row as text. */
async function query(url: string, sql: string): Promise<string[]> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(startup());
  const rows: string[] = [];
  let ready = 0;
  for await (const { type, body } of messages(socket)) {
    if (type === 'E') throw new Error(body.toString());
    if (type === 'D') rows.push(body.subarray(6).toString());
    if (type !== 'Z') continue;
    ready += 1;
    if (ready === 1) socket.write(message('Q', `${sql}\0`));
    else break;
  }
  socket.destroy();
  return rows;
}

function startup(): Buffer {
  return message('', '\0\u0003\0\0user\0postgres\0database\0postgres\0\0');
}

function message(type: string, text: string): Buffer {
  const body = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

async function* messages(socket: AsyncIterable<Buffer>) {
  let pending = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 5 && pending.length > pending.readInt32BE(1)) {
      const end = pending.readInt32BE(1) + 1;
      yield { type: String.fromCharCode(pending[0]!), body: pending.subarray(5, end) };
      pending = pending.subarray(end);
    }
  }
}
