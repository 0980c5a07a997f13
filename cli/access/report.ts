import { once } from 'node:events';
import { SUBJECTS } from '../../shared/configuration/issuers.ts';
import { slice } from '../../shared/configuration/slice.ts';
import { postgresUrl } from '../../shared/configuration/values.ts';
import { csvLine } from '../../shared/csv.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Tuple, TuplePage, Tuples } from '../../shared/ports/tuples.ts';
import { openDatabase, openModels, openRelations, openTuples } from '../deps.ts';
import { Failure } from '../failure.ts';
import { orFailure, storeSettings } from '../fga/connect.ts';
import { userNamed, usualIssuer } from '../rules/who.ts';
import { environment, note, progressBar, write } from '../terminal.ts';
import { configured } from '../variables.ts';
import { allTuples, Grants, type Candidate, type Grant } from './grants.ts';
import { upwardOf, type Upward } from './model.ts';
import { configuredSources, Providers, type Existence } from './providers.ts';

export interface ReportCommand {
  readonly user?: string;
  readonly feature?: string;
  readonly format: 'csv' | 'json';
  readonly json?: boolean;
}

const DATABASE = slice({
  variables: { DATABASE_URL: postgresUrl.optional() },
  read: (v) => ({ url: v.DATABASE_URL ?? null }),
});

/** Prints every grant as it is found. Throws Failure. */
export async function runReport(options: ReportCommand): Promise<void> {
  const { url } = configured(DATABASE);
  const database = url === null ? null : openDatabase(url);
  const bar = progressBar('reading tuples', { long: true });
  try {
    const sum = await orFailure(
      report(options, database, (read) => {
        bar.update(read);
      }),
    );
    bar.end();
    summarise(sum);
  } finally {
    bar.end();
    await database?.close();
  }
}

interface Sum {
  grants: number;
  stale: number;
  /** Tuples to which the model gives no meaning. */
  idle: number;
  asked: boolean;
}

async function report(
  { user, feature, format, json }: ReportCommand,
  database: Pick<Database, 'query'> | null,
  onRead: (tuples: number) => void,
): Promise<Sum> {
  const settings = storeSettings();
  const served = await openModels(settings).served();
  if (served === undefined) throw new Failure(`store ${settings.storeId} has no model`);
  const upward = upwardOf(served.model);
  const tuples = openTuples(settings);
  const sources = configuredSources(database);
  const providers = new Providers(sources);
  const grants = new Grants({ tuples, relations: openRelations(settings), upward });
  const whose = user === undefined ? undefined : named(user);
  const object = feature === undefined ? undefined : feature.includes(':') ? feature : `feature:${feature}`;
  const rows = json === true || format === 'json' ? new JsonRows() : new CsvRows();
  const sum: Sum = { grants: 0, stale: 0, idle: 0, asked: sources.length > 0 };
  const window = new Window(grants, async (grant, stale) => {
    sum.grants += 1;
    if (stale === true) sum.stale += 1;
    await rows.add(grant, stale);
  });
  let read = 0;
  await rows.begin();
  for await (const page of pagesOf(tuples, upward, whose)) {
    const people = page.filter(({ user: each }) => isPerson(each));
    const existing = await providers.exist(people.map((each) => personIn(each, whose)));
    for (const tuple of people) {
      const person = personIn(tuple, whose);
      const found = grants.of(tuple, person);
      const stale = staleOf(existing.get(person) ?? null);
      if (found === undefined) sum.idle += 1;
      else
        for await (const candidate of found)
          if (object === undefined || candidate.grant.object === object)
            await window.add({ ...candidate, stale });
    }
    onRead((read += page.length));
  }
  await window.end();
  await rows.end();
  return sum;
}

function named(user: string): string {
  return userNamed(user, usualIssuer(environment), configured(SUBJECTS).sharedSubjectIssuers);
}

const EVERYBODY = 'user:*';

/** Pages of tuples to begin with: all, or those of one person and of everybody. */
async function* pagesOf(
  tuples: Pick<Tuples, 'read'>,
  upward: Upward,
  whose: string | undefined,
): AsyncGenerator<readonly Tuple[]> {
  if (whose === undefined) {
    for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
      const page: TuplePage = await tuples.read({}, next);
      yield page.tuples;
      ({ next } = page);
    }
    return;
  }
  for (const type of upward.types)
    for (const user of [whose, EVERYBODY])
      for await (const tuple of allTuples(tuples, { user, object: `${type}:` })) yield [tuple];
}

/** A user by itself, not a group's members, nor an object that is another one's parent. */
function isPerson(user: string): boolean {
  return user.startsWith('user:') && !user.includes('#');
}

/** Of whom the report speaks: who was asked about may do what everybody may. */
function personIn({ user }: Tuple, whose: string | undefined): string {
  return whose !== undefined && user === EVERYBODY ? whose : user;
}

function staleOf(existence: Existence): boolean | null {
  return existence === null ? null : !existence;
}

/** Questions to OpenFGA on the way at a time. */
const WIDEST = 32;

interface Pending extends Candidate {
  readonly stale: boolean | null;
}

/** Asks OpenFGA about several grants at a time, and prints them in their order. */
class Window {
  readonly #grants: Grants;
  readonly #print: (grant: Grant, stale: boolean | null) => Promise<void>;
  readonly #pending: { readonly each: Pending; readonly holds: Promise<boolean> }[] = [];

  constructor(grants: Grants, print: (grant: Grant, stale: boolean | null) => Promise<void>) {
    this.#grants = grants;
    this.#print = print;
  }

  async add(each: Pending): Promise<void> {
    const holds = each.sure ? Promise.resolve(true) : this.#grants.holds(each.grant);
    // Awaited later, in its turn; until then its failure is nobody's.
    holds.catch(() => undefined);
    this.#pending.push({ each, holds });
    if (this.#pending.length >= WIDEST) await this.#shift();
  }

  async end(): Promise<void> {
    while (this.#pending.length > 0) await this.#shift();
  }

  async #shift(): Promise<void> {
    const first = this.#pending.shift();
    if (first !== undefined && (await first.holds)) await this.#print(first.each.grant, first.each.stale);
  }
}

interface Rows {
  begin(): Promise<void>;
  add(grant: Grant, stale: boolean | null): Promise<void>;
  end(): Promise<void>;
}

const COLUMNS = ['user', 'relation', 'object', 'granted_by', 'conditions', 'stale'];

class CsvRows implements Rows {
  begin(): Promise<void> {
    return out(`${COLUMNS.join(',')}\r\n`);
  }
  add({ user, relation, object, tuples, conditions }: Grant, stale: boolean | null): Promise<void> {
    const by = tuples.map((tuple) => `${tuple.user} ${tuple.relation} ${tuple.object}`).join('; ');
    const row = { user, relation, object, granted_by: by, conditions: conditions.join('; '), stale };
    return out(csvLine(row, COLUMNS));
  }
  end(): Promise<void> {
    return Promise.resolve();
  }
}

/** One array, a grant a line. It begins with its first row: what fails before has an object with the error instead. */
class JsonRows implements Rows {
  #first = true;

  begin(): Promise<void> {
    return Promise.resolve();
  }
  add({ user, relation, object, tuples, conditions }: Grant, stale: boolean | null): Promise<void> {
    const row = { user, relation, object, tuples, conditions, stale };
    const before = this.#first ? '[\n' : ',\n';
    this.#first = false;
    return out(before + JSON.stringify(row));
  }
  end(): Promise<void> {
    return out(this.#first ? '[]\n' : '\n]\n');
  }
}

async function out(text: string): Promise<void> {
  if (!write(text)) await once(process.stdout, 'drain');
}

function summarise({ grants, stale, idle, asked }: Sum): void {
  note(`${grants} grants`);
  if (idle > 0) note(`${idle} tuples were left out, as the model gives them no meaning`);
  if (!asked)
    note(
      'nobody was asked who is still there: set ZITADEL_API_URL and ZITADEL_SERVICE_TOKEN, or KANIDM_ISSUER_URL and KANIDM_TOKEN',
    );
  if (stale > 0) note(`${stale} are of users whom the provider no longer has`);
  note(
    stale > 0
      ? 'next: sallyport webhooks reconcile --dry-run, which finds removals that were missed; else delete the tuples'
      : 'next: have the owner of each feature confirm its rows',
  );
}
