import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { seeded } from '../../dev/zitadel/schedule.ts';
import { UserRefused, type Users } from '../../dev/zitadel/users.ts';
import { applyDue } from '../../functions/webhooks/apply/apply.ts';
import { accountsOf } from '../../functions/webhooks/apply/accounts.ts';
import { createEffects } from '../../functions/webhooks/apply/effects.ts';
import { INBOX } from '../../functions/webhooks/inbox/table.ts';
import { identitiesOf } from '../../shared/identity/identities.ts';
import { createMarks } from '../../functions/webhooks/apply/marks.ts';
import { createOrganizations } from '../../functions/webhooks/apply/organizations.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { webRandom } from '../../shared/runtime.ts';
import { openQueue } from '../../shared/runs/queue.ts';
import { userOf } from '../../shared/identity/subjects.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { times } from '../support/scale.ts';
import { memoryTuples, type MemoryTuples } from '../support/memory-tuples.ts';
import { instance, START, type Instance } from './reconcile-support.ts';
import { ISSUER } from './events.ts';

const SCHEDULES = times(1_000, 60);
const USERS = ['ann', 'ben'] as const;
const COMMANDS = ['rename', 'changeEmail', 'deactivate', 'reactivate', 'lock', 'unlock', 'remove'] as const;
/** Within the one hour that the first reconcile looks back. */
const LONGEST_LIFE = 8;

/** Random commands to the users; those that Zitadel would refuse in their state are left out. */
function live(users: Users, random: () => number, prefix: string): void {
  const id = `${prefix}-${USERS[Math.floor(random() * USERS.length)] ?? USERS[0]}`;
  const command = COMMANDS[Math.floor(random() * COMMANDS.length)] ?? 'rename';
  const text = `${id}-${Math.floor(random() * 1000)}`;
  try {
    if (command === 'rename') users.rename(id, text);
    else if (command === 'changeEmail') users.changeEmail(id, `${text}@example.org`);
    else users[command](id);
  } catch (error) {
    if (!(error instanceof UserRefused)) throw error;
  }
}

function begin(users: Users, random: () => number, prefix: string): void {
  for (const name of USERS) {
    const user = { id: `${prefix}-${name}`, userName: name, organization: `org-${name}` };
    if (random() < 0.5) users.create(user);
    else users.selfRegister(user);
  }
}

interface World {
  readonly tuples: MemoryTuples;
  readonly revoked: ReadonlySet<string>;
  apply(): Promise<void>;
}

/** The real engine, over the real tables; only OpenFGA and Redis are fakes. */
function worldOf(database: Database): World {
  const tuples = memoryTuples(['organization', 'feature', 'document']);
  const revoked = new Set<string>();
  const clock = { now: () => START + 7_200_000 };
  const identities = identitiesOf(ISSUER.name, database);
  const nothing = () => undefined;
  const marks = createMarks({
    identities,
    clock,
    callerOf: (subject) => subject,
    forget: nothing,
    revocations: {
      mark: async (caller, { notBefore }) => {
        if (notBefore === Infinity) revoked.add(caller);
        else revoked.delete(caller);
      },
    },
  });
  const grants = [
    { relation: 'member', object: 'organization:{organization}' },
    { relation: 'viewer', object: 'feature:a' },
  ];
  const of = (subject: string) => userOf(ISSUER, subject);
  const applyEvent = createEffects({
    accounts: accountsOf(ISSUER, database),
    identities,
    marks,
    tuples,
    clock,
    grants,
    userOf: of,
    organizations: createOrganizations({
      database,
      identities,
      issuer: ISSUER,
      clock,
      random: webRandom(),
      api: null,
    }),
  });
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const now = () => sql`${new Date(clock.now())}::timestamptz`;
  const queue = openQueue({ table: INBOX, database, random: webRandom(), now });
  const deps = { queue, applyEvent, log, count: nothing };
  return {
    tuples,
    revoked,
    async apply() {
      const { failed, dead } = await applyDue(Number.MAX_SAFE_INTEGER, deps);
      expect({ failed, dead }).toEqual({ failed: 0, dead: 0 });
    },
  };
}

const Mirror = z.object({
  subject: z.string(),
  username: z.string().nullable(),
  email: z.string().nullable(),
  state: z.string(),
});

/** Everything that is known of the users of one prefix, with the prefix taken off. */
async function outcome(
  database: Database,
  { tuples, revoked }: World,
): Promise<ReadonlyMap<string, string[]>> {
  const mirror = await database.query(
    sql`select subject, username, email, state from sallyport_identities`,
    Mirror,
  );
  const lines = [
    ...tuples.all(),
    ...[...revoked].map((caller) => `${caller} is revoked`),
    ...mirror.map(
      ({ subject, username, email, state }) => `${subject} is ${state}: ${username ?? '-'} ${email ?? '-'}`,
    ),
  ];
  const byPrefix = new Map<string, string[]>();
  for (const line of lines) {
    const [, number = ''] = /(?:faulty|perfect)(\d+)-/.exec(line) ?? [];
    byPrefix.set(
      number,
      [...(byPrefix.get(number) ?? []), line.replaceAll(/(?:faulty|perfect)\d+-/g, '')].sort(),
    );
  }
  return byPrefix;
}

interface Schedule {
  readonly instance: Instance;
  readonly random: () => number;
  readonly prefix: string;
  readonly script: () => number;
}

/** Eight at a time, as eight connections can. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** Half a life, what arrives of it, perhaps a reconcile and an apply; then the other half, and a reconcile. */
async function run(schedules: readonly Schedule[], world: World): Promise<void> {
  for (const {
    instance: { users },
    script,
    prefix,
  } of schedules) {
    begin(users, script, prefix);
    for (let step = 0; step < LONGEST_LIFE / 2; step++) live(users, script, prefix);
  }
  await each(schedules, async ({ instance: { deliveries, reconcile }, random }) => {
    await deliveries.settled();
    if (random() < 0.4) await deliveries.flush();
    if (random() < 0.4) await reconcile();
  });
  await world.apply();
  for (const {
    instance: { users },
    script,
    prefix,
  } of schedules)
    for (let step = 0; step < LONGEST_LIFE / 2; step++) live(users, script, prefix);
  await each(schedules, async ({ instance: { deliveries, reconcile }, random }) => {
    await deliveries.settled();
    const lateFirst = random() < 0.5;
    if (lateFirst) await deliveries.flush();
    await reconcile();
  });
  await world.apply();
}

/** What is delivered only now was reconciled long ago. */
async function arriveLate(schedules: readonly Schedule[], world: World): Promise<void> {
  await each(schedules, ({ instance: { deliveries } }) => deliveries.flush());
  await world.apply();
}

describe(`over ${DATABASE.name}`, () => {
  const databases: MigratedDatabase[] = [];
  beforeAll(async () => {
    databases.push(await DATABASE.start(), await DATABASE.start());
  });
  afterAll(() => Promise.all(databases.map((database) => database.close())));

  it(`after ${SCHEDULES} schedules of lost, doubled, late and swapped deliveries and a reconcile, all is as after a perfect delivery`, async () => {
    const [faulty, perfect] = databases.map((database) => database.another());
    const schedulesOf = (kind: 'faulty' | 'perfect', database: Database): Schedule[] =>
      Array.from({ length: SCHEDULES }, (_, seed) => ({
        instance: instance({ id: `i${seed}`, database, ...(kind === 'faulty' && { seed }) }),
        random: seeded(seed + 1_000_000),
        script: seeded(seed + 2_000_000),
        prefix: `${kind}${seed}`,
      }));
    const [broken, whole] = [worldOf(faulty!), worldOf(perfect!)];
    await run(schedulesOf('perfect', perfect!), whole);
    const wanted = await outcome(perfect!, whole);
    expect(wanted.size).toBe(SCHEDULES);
    const differing = async () => {
      const found = await outcome(faulty!, broken);
      return [...wanted]
        .map(([seed, lines]) => ({ seed, wanted: lines, found: found.get(seed) }))
        .filter(({ wanted: lines, found: others }) => lines.join() !== others?.join());
    };
    const schedules = schedulesOf('faulty', faulty!);
    await run(schedules, broken);
    expect(await differing()).toEqual([]);
    await arriveLate(schedules, broken);
    expect(await differing()).toEqual([]);
    // The lives were not dull: some were removed, some are suspended, most have their grants.
    const all = [...wanted.values()].flat().join('\n');
    for (const sign of ['is removed', 'is suspended', 'is revoked', 'viewer feature:a'])
      expect(all).toContain(sign);
  });
});
