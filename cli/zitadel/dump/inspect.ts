import * as z from 'zod';
import { Failure } from '../../failure.ts';
import { refusalOf, Statements, type StatementFacts } from './statements.ts';
import { scanScript, valuesOf, type ScriptVisitor, type TakeRow } from './scan.ts';
import { readScript, type DumpSource, type ReadOptions } from './source.ts';

/** A value that Zitadel keeps encrypted by one of its encryption keys. */
export interface Encrypted {
  readonly kind: 'web key' | 'private key' | 'signing key of a target';
  /** Of the row. */
  readonly id: string;
  /** JSON of Zitadel's CryptoValue. */
  readonly value: string;
}

/** What a dump of Zitadel holds, as read from its beginning to its end. */
export interface Dump extends StatementFacts {
  readonly source: DumpSource;
  /** Of its SQL. */
  readonly scriptBytes: number;
  /** Rows by table, as in `projections.users14`. */
  readonly tables: ReadonlyMap<string, number>;
  readonly instances: readonly { readonly id: string; readonly name: string }[];
  readonly domains: readonly {
    readonly instance: string;
    readonly domain: string;
    readonly primary: boolean;
  }[];
  /** Names of the setup steps that are done: system.migration.done. */
  readonly steps: readonly string[];
  /** By their names; encrypted by the masterkey. */
  readonly encryptionKeys: ReadonlyMap<string, string>;
  readonly encrypted: readonly Encrypted[];
}

/** Called for each row of the tables that it takes, beside what `inspectDump` takes itself. */
export type Further = (
  table: string,
  columns: readonly string[],
) => ((values: readonly (string | null)[]) => void) | null;

const NEEDED = ['eventstore.events2', 'system.encryption_keys', 'projections.instances'];

/**
 * Reads a dump to its end, with constant memory. Throws Failure when it is no dump of Zitadel's database, is cut, or was made in a
 * way that no copy beside the target can be restored from.
 */
export async function inspectDump(
  source: DumpSource,
  options: ReadOptions = {},
  further?: Further,
): Promise<Dump> {
  const statements = new Statements();
  const rows = new Rows(further);
  const visitor: ScriptVisitor = {
    table: (name, columns) => rows.table(name, columns),
    rows: (name, count) => {
      rows.counts.set(name, (rows.counts.get(name) ?? 0) + count);
    },
    line: (text) => {
      statements.take(text);
    },
  };
  const scanned = await readScript(source, options, (script) =>
    scanScript(script as AsyncIterable<Buffer>, visitor),
  );
  const { file } = source;
  const refusal = refusalOf(statements.facts(), scanned.complete);
  const lacking = NEEDED.filter((table) => !rows.counts.has(table) && !statements.made.has(table));
  if (refusal !== undefined) throw new Failure(`${file} ${refusal}`);
  if (!scanned.complete || !statements.isClosed)
    throw new Failure(
      `${file} is cut: pg_dump's last line is missing${scanned.cutIn === null ? '' : `, and it ends within the data of ${scanned.cutIn}`}. Copy or make it anew`,
    );
  if (lacking.length > 0)
    throw new Failure(
      `${file} is no dump of Zitadel's database (of a release since 2.34): it has no ${lacking.join(', ')}`,
    );
  return { ...statements.facts(), source, scriptBytes: scanned.bytes, tables: rows.counts, ...rows.facts() };
}

/** Rows by table of any dump of pg_dump. Throws Failure when it is cut or damaged. */
export async function countDump(
  source: DumpSource,
  options: ReadOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const scanned = await readScript(source, options, (script) =>
    scanScript(script as AsyncIterable<Buffer>, {
      table: () => null,
      rows: (name, count) => {
        counts.set(name, (counts.get(name) ?? 0) + count);
      },
      line: () => undefined,
    }),
  );
  if (!scanned.complete) throw new Failure(`${source.file} is cut: pg_dump's last line is missing`);
  return counts;
}

/** Rows of the newest of the tables with this name, as in `users` for `projections.users14`; 0 for none. */
export function rowsOf({ tables }: Pick<Dump, 'tables'>, name: string): number {
  const found = [...tables.keys()].flatMap((table) => {
    const [, version] = new RegExp(`^projections\\.${name}(\\d+)$`).exec(table) ?? [];
    return version === undefined ? [] : [{ table, version: Number(version) }];
  });
  const newest = found.sort((one, other) => other.version - one.version)[0];
  return newest === undefined ? 0 : (tables.get(newest.table) ?? 0);
}

/** Of each kind; more prove nothing more. */
const MOST_ENCRYPTED = 50;
const ENCRYPTED: readonly (readonly [RegExp, Encrypted['kind'], id: string, value: string])[] = [
  [/^projections\.web_keys\d+$/, 'web key', 'key_id', 'private_key'],
  [/^projections\.keys\d+_private$/, 'private key', 'id', 'key'],
  [/^projections\.targets\d+$/, 'signing key of a target', 'id', 'signing_key'],
];

/** An event of the instance '' begins its row with a tab; only those are looked into. */
const SYSTEM_EVENT = Buffer.from('\tsystem\t');
const DONE = new Set(['system.migration.done', 'system.migration.repeatable.done']);
const StepPayload = z.object({ name: z.string() });

type Values = readonly (string | null)[];

class Rows {
  readonly counts = new Map<string, number>();
  readonly #further: Further | undefined;
  readonly #instances: { id: string; name: string }[] = [];
  readonly #domains: { instance: string; domain: string; primary: boolean }[] = [];
  readonly #steps = new Set<string>();
  readonly #encryptionKeys = new Map<string, string>();
  readonly #encrypted: Encrypted[] = [];

  constructor(further: Further | undefined) {
    this.#further = further;
  }

  facts() {
    return {
      instances: this.#instances,
      domains: this.#domains,
      steps: [...this.#steps],
      encryptionKeys: this.#encryptionKeys,
      encrypted: this.#encrypted,
    };
  }

  table(name: string, columns: readonly string[]): TakeRow | null {
    const own = name === 'eventstore.events2' ? this.#events(columns) : decoded(this.#own(name, columns));
    const more = decoded(this.#further?.(name, columns) ?? null);
    if (own === null || more === null) return own ?? more;
    return (buffer, start, end) => {
      own(buffer, start, end);
      more(buffer, start, end);
    };
  }

  #events(columns: readonly string[]): TakeRow {
    const [type, payload] = [columns.indexOf('event_type'), columns.indexOf('payload')];
    return (buffer, start, end) => {
      if (buffer.compare(SYSTEM_EVENT, 0, SYSTEM_EVENT.length, start, start + SYSTEM_EVENT.length) !== 0)
        return;
      const values = valuesOf(buffer, start, end);
      if (!DONE.has(values[type] ?? '')) return;
      const parsed = StepPayload.safeParse(JSON.parse(values[payload] ?? 'null'));
      if (parsed.success) this.#steps.add(parsed.data.name);
    };
  }

  #own(name: string, columns: readonly string[]): ((values: Values) => void) | null {
    const at = (column: string) => (values: Values) => values[columns.indexOf(column)] ?? '';
    if (name === 'system.encryption_keys')
      return (values) => this.#encryptionKeys.set(at('id')(values), at('key')(values));
    if (name === 'projections.instances')
      return (values) => this.#instances.push({ id: at('id')(values), name: at('name')(values) });
    if (name === 'projections.instance_domains')
      return (values) =>
        this.#domains.push({
          instance: at('instance_id')(values),
          domain: at('domain')(values),
          primary: at('is_primary')(values) === 't',
        });
    const [, kind, id, value] = ENCRYPTED.find(([pattern]) => pattern.test(name)) ?? [];
    if (kind === undefined || id === undefined || value === undefined) return null;
    return (values) => {
      const written = at(value)(values);
      if (written !== '' && this.#encrypted.filter((each) => each.kind === kind).length < MOST_ENCRYPTED)
        this.#encrypted.push({ kind, id: at(id)(values), value: written });
    };
  }
}

function decoded(take: ((values: Values) => void) | null): TakeRow | null {
  if (take === null) return null;
  return (buffer, start, end) => {
    take(valuesOf(buffer, start, end));
  };
}
