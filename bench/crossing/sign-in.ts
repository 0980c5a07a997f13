import { migrate } from '../../dev/migrate.ts';
import { createPlatform, openDatabase, openGround as openPorts } from '../../shared/deps.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import { sql } from '../../shared/ports/database.ts';
import { median, ratios, verdict, type SectionResult } from '../figures.ts';
import { openGround, variables, type Ground } from '../ground.ts';
import { pacedLoad, type Latency } from '../load/generators.ts';
import type { PostgresServer } from '../servers/stores.ts';

/** Requests a second that go through the gateway meanwhile. */
const RATE = 500;
const SIGN_INS = 20;
const PEOPLE = 100;
const PASSWORD = 'a-password-of-the-bench';
const WARM_UP_SECONDS = 1;
/** The default, and the least that Zitadel takes: of the hashes that most applications have. */
const COSTS = [12, 10] as const;

interface SignInOptions {
  readonly rounds: number;
  readonly seconds: number;
}

interface Turn {
  readonly idle: Latency;
  readonly beside: Latency;
  /** Milliseconds of each sign-in that succeeded, and how many a second did while the load ran. */
  readonly times: readonly number[];
  readonly rate: number;
  readonly refused: number;
}

/** Requests through the gateway while others sign in by password on the same Node process. */
export async function measureSignIn(
  postgres: PostgresServer,
  options: SignInOptions & { readonly beside?: string | undefined },
): Promise<Pick<SectionResult, 'tables' | 'verdicts' | 'notes'>> {
  const ground = await openGround(options);
  try {
    const program = ground.programs.paced;
    if (program === undefined)
      return { tables: [], verdicts: [], notes: ['left out: sign-in: no C compiler (cc) is installed'] };
    const rows: string[][] = [];
    const verdicts = [];
    const late: number[] = [];
    for (const cost of COSTS) {
      console.error(`measuring: sign-in at cost ${cost}`);
      const turns = await atCost(cost, { ground, postgres, program }, options);
      late.push(...turns.flatMap(({ idle, beside }) => [idle.sentLateP99Ms, beside.sentLateP99Ms]));
      const p99 = ratios(
        turns.map(({ beside }) => beside.p99Ms),
        turns.map(({ idle }) => idle.p99Ms),
      );
      verdicts.push(
        verdict(`sign-in: p99 of the gateway beside ${SIGN_INS} a second at cost ${cost}, of idle`, p99, {
          atMost: 1.5,
        }),
      );
      rows.push(rowOf(cost, turns));
    }
    const title = `Requests at a constant ${RATE}/s beside ${SIGN_INS} sign-ins a second on the same process`;
    const columns = [
      'bcrypt cost',
      'idle p50 ms',
      'idle p99',
      'beside p50',
      'beside p99',
      'signed in/s',
      'sign-in p50 ms',
      'refused',
    ];
    return {
      tables: [{ title, columns, rows }],
      verdicts,
      notes: [
        `sign-in: what two cores cannot hash of ${SIGN_INS} a second waits, and is refused as sign_in_busy after ten seconds`,
        `sign-in: the generator wrote 99 of 100 requests within ${Math.max(...late).toFixed(2)} ms of when they were due`,
      ],
    };
  } finally {
    await ground.close();
  }
}

function rowOf(cost: number, turns: readonly Turn[]): string[] {
  const of = (pick: (turn: Turn) => number): string => median(turns.map(pick)).toFixed(2);
  return [
    String(cost),
    ...[of(({ idle }) => idle.p50Ms), of(({ idle }) => idle.p99Ms)],
    ...[of(({ beside }) => beside.p50Ms), of(({ beside }) => beside.p99Ms)],
    ...[of(({ rate }) => rate), of(({ times }) => median(times))],
    String(turns.reduce((sum, { refused }) => sum + refused, 0)),
  ];
}

interface Places {
  readonly ground: Ground;
  readonly postgres: PostgresServer;
  readonly program: string;
}

/** Turn by turn idle and beside sign-ins, on one process. */
async function atCost(cost: number, places: Places, { rounds, seconds }: SignInOptions): Promise<Turn[]> {
  const { ground, postgres, program } = places;
  const databaseUrl = postgres.createDatabase(`crossing_sign_in_${cost}`);
  await migrate(databaseUrl);
  await addPeople(databaseUrl, cost);
  const keys = await makePrivateKeys();
  const server = await ground.start((port) => {
    const auth = {
      ...{
        FUNCTIONS: 'auth',
        PUBLIC_URL: `http://127.0.0.1:${port}`,
        SESSION_KEYS: keys,
        DATABASE_URL: databaseUrl,
      },
      ...{ PASSWORD_COST: String(cost), LOGIN_RATE: '1000000/1s' },
    };
    const env = variables(ground, { PORT: String(port), ...auth });
    return ground.startNode(ground.programs.product, [], { port, env });
  });
  const load = (): Promise<Latency> =>
    pacedLoad({
      ...{ port: server.port, rate: RATE, warmUp: WARM_UP_SECONDS, seconds, program },
      requestsFile: ground.requestsFile,
    });
  const turns: Turn[] = [];
  // The first turn warms both.
  for (let round = 0; round <= rounds; round += 1) {
    const idle = await load();
    const signIns = keepSigningIn(`http://127.0.0.1:${server.port}`);
    const beside = await load();
    const signedIn = await signIns.end();
    if (round > 0) turns.push({ idle, beside, ...signedIn });
  }
  await server.stop();
  return turns;
}

async function addPeople(databaseUrl: string, cost: number): Promise<void> {
  const hash = await createPlatform().passwords.hash(PASSWORD, cost);
  const ports = openPorts({ logLevel: 'silent' });
  const database = openDatabase({ database: { kind: 'url', url: databaseUrl, endpoint: null } }, ports);
  await database?.execute(sql`
    with bench as (insert into tenants (slug, name) values ('bench', 'Bench') returning tenant_id)
    insert into users (tenant_id, email, password_hash, full_name)
    select tenant_id, 'person-' || n || '@example.org', ${hash}, 'Bench User' from bench, generate_series(1, ${PEOPLE}::int) n`);
  await database?.close();
}

/** Somebody signs in every 50 ms, whether or not those before have their answer. */
function keepSigningIn(origin: string): { end(): Promise<Pick<Turn, 'times' | 'rate' | 'refused'>> } {
  const began = performance.now();
  const times: number[] = [];
  const underWay = new Set<Promise<void>>();
  let [begun, refused] = [0, 0];
  const signIn = async (n: number): Promise<void> => {
    const start = performance.now();
    const credentials = {
      tenant: 'bench',
      email: `person-${(n % PEOPLE) + 1}@example.org`,
      password: PASSWORD,
    };
    const { status } = await fetch(`${origin}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(credentials),
    });
    if (status === 200) times.push(performance.now() - start);
    else if (status === 503) refused += 1;
    else throw new Error(`a sign-in was answered ${status}`);
  };
  const timer = setInterval(() => {
    const one = signIn((begun += 1)).finally(() => underWay.delete(one));
    underWay.add(one);
  }, 1_000 / SIGN_INS);
  return {
    async end() {
      clearInterval(timer);
      const rate = (times.length * 1_000) / (performance.now() - began);
      await Promise.all(underWay);
      return { times, rate, refused };
    },
  };
}
