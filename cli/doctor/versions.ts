import * as z from 'zod';
import { COUNTERS } from '../../shared/configuration/stores.ts';
import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { messageOf } from '../../shared/errors.ts';
import { instanceOf } from '../../shared/zitadel/instance.ts';
import { sql } from '../../shared/ports/database.ts';
import { openStoreCommands } from '../deps.ts';
import { advisoriesFor, ADVISORIES_DATE, mendedIn, type Product } from './advisories.ts';
import { fieldsOf } from './counters.ts';
import { isSet, partOf, withDatabase, type DoctorGround } from './ground.ts';
import { openFgaVersions } from './openfga-version.ts';
import { serviceAccount } from './zitadel.ts';

/** An older list proves little. */
const LIST_DAYS = 180;
const DAY_MS = 86_400_000;

/** What services say that they are, beside the advisories of this release. */
export async function versions(ground: DoctorGround): Promise<Finding> {
  const told = await Promise.all([
    telling('zitadel', async () => (await instanceOf(serviceAccount())).version),
    telling('postgres', () =>
      withDatabase(async (database) => {
        const [row] = await database.query(sql`select current_setting('server_version') as version`, Version);
        return row?.version ?? '';
      }),
    ),
    telling('redis', () => redisVersion(ground)),
  ]);
  const found = [...told.flatMap((each) => each ?? []), ...(await ofOpenFga())];
  const untold = 'OpenFGA tells its version to nobody: compare its image with docs/doctor.md#advisories';
  const silent = isSet('OPENFGA_URL') && !found.some(({ cause }) => cause.includes('openfga'));
  if (found.length === 0)
    throw new NotSetUp(silent ? untold : 'nothing that tells its version is configured');
  return worst([...found, ...(silent ? [green(untold)] : []), ofList(ground.clock.now())], '');
}

/** Of the advisories that affect one product. */
const SHOWN = 2;
const Version = z.object({ version: z.string() });

async function redisVersion({ clock }: DoctorGround): Promise<string> {
  const { counters } = partOf(COUNTERS);
  if (counters.kind !== 'redis') throw new NotSetUp('no Redis');
  const commands = openStoreCommands(counters.url, clock);
  try {
    const info = fieldsOf(String(await commands.send(['INFO', 'server'])));
    // Valkey's redis_version is that of the Redis whose protocol it speaks.
    if (info.has('valkey_version')) throw new NotSetUp('Valkey has versions of its own');
    return info.get('redis_version') ?? '';
  } finally {
    commands.close();
  }
}

/** By the images of its pods, where there are any to look at. */
async function ofOpenFga(): Promise<Finding[]> {
  if (!isSet('OPENFGA_URL')) return [];
  try {
    return (await openFgaVersions()).map((version) => compared('openfga', version));
  } catch (error) {
    return [yellow(`the version of openfga is not known: ${messageOf(error)}`)];
  }
}

/** Undefined where it is not set up. A service that does not answer is the business of another check. */
async function telling(product: Product, read: () => Promise<string>): Promise<Finding[] | undefined> {
  let version: string;
  try {
    version = await read();
  } catch (error) {
    return error instanceof NotSetUp
      ? undefined
      : [yellow(`${product} does not tell its version: ${messageOf(error)}`)];
  }
  return [compared(product, version)];
}

function compared(product: Product, version: string): Finding {
  const advisories = advisoriesFor(product, version);
  if (advisories === undefined)
    return yellow(
      `${product} calls itself ${version.slice(0, 40) || 'nothing'}, which cannot be compared`,
      'compare it with docs/doctor.md#advisories',
    );
  if (advisories.length === 0) return green(`no known advisory affects ${product} ${version}`);
  const named = advisories.slice(0, SHOWN).map(({ id, what }) => `${id}: ${what}`);
  const more = advisories.length > SHOWN ? ` and ${advisories.length - SHOWN} more` : '';
  const cause = `${product} ${version} is affected by ${named.join(', ')}${more} (docs/doctor.md#advisories)`;
  const next = `update ${product} to ${mendedIn(product, version)}`;
  // Distributions carry fixes into old versions of Postgres and Redis and leave the number.
  const proven = product === 'zitadel' && advisories.some(({ severity }) => severity === 'high');
  return proven ? red(cause, next) : yellow(cause, next);
}

function ofList(now: number): Finding {
  const days = Math.floor((now - Date.parse(ADVISORIES_DATE)) / DAY_MS);
  return days > LIST_DAYS
    ? yellow(`the list of advisories is of ${ADVISORIES_DATE}`, 'update Sallyport')
    : green(`by the list of ${ADVISORIES_DATE}`);
}
