/** What the lines of a dump outside of its data say. */
export interface StatementFacts {
  /** Of the server that it was made on, as in `15.18 (Debian …)`; null where it does not say. */
  readonly server: string | null;
  readonly pgDump: string | null;
  /** Roles that own something in it; empty for one made with --no-owner. */
  readonly owners: readonly string[];
  /** Roles that must exist where it is restored: owners, and whom it grants something. */
  readonly roles: readonly string[];
  readonly extensions: readonly string[];
  /** The key of pg_dump's \restrict; null where it has none. */
  readonly restrictKey: string | null;
}

const SERVER = /^-- Dumped from database version (.+)$/;
const PG_DUMP = /^-- Dumped by pg_dump version (.+)$/;
const OWNER = / OWNER TO (.+);$/;
const GRANT = /^(?:GRANT|REVOKE) .+ (?:TO|FROM) (.+?)(?: WITH GRANT OPTION)?;$/;
const EXTENSION = /^CREATE EXTENSION (?:IF NOT EXISTS )?(.+?)(?: WITH .+)?;$/;
const TABLE = /^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\S+) \($/;
const RESTRICT = /^\\(un)?restrict (\S+)$/;
/** PostgreSQL manual, "Dollar-Quoted String Constants". */
const QUOTE = /\$(?:[A-Za-z_]\w*)?\$/g;
/** No roles of their own. */
const EVERYBODY = ['PUBLIC', 'CURRENT_USER', 'SESSION_USER', 'CURRENT_ROLE'];

export class Statements {
  /** Tables that are created, with their schemas. */
  readonly made = new Set<string>();
  header = false;
  cluster = false;
  readonly #owners = new Set<string>();
  readonly #roles = new Set<string>();
  readonly #extensions = new Set<string>();
  #server: string | null = null;
  #pgDump: string | null = null;
  #restrictKey: string | null = null;
  #isReleased = false;
  /** What makes it unfit; the first one. */
  refusal: string | undefined;
  /** The dollar quote that is open: the body of a function follows. */
  #quote: string | undefined;

  take(text: string): void {
    if (this.#inBody(text)) return;
    if (text.startsWith('-- PostgreSQL database dump'))
      this.#recognise(text.endsWith('\r') ? LINES : undefined);
    else if (text.startsWith('PGDMP')) this.#recognise(ARCHIVE);
    else if (text.startsWith('-- Dumped ')) {
      this.#server ??= SERVER.exec(text)?.[1] ?? null;
      this.#pgDump ??= PG_DUMP.exec(text)?.[1] ?? null;
    } else if (text.startsWith('\\')) this.#command(text);
    else if (!text.startsWith('-- ')) this.#statement(text);
    else if (text.startsWith('-- PostgreSQL database cluster dump')) this.#recognise(CLUSTER);
  }

  /** It was made by pg_dump, and may be unfit all the same. */
  #recognise(unfit?: string): void {
    this.header = true;
    this.refusal ??= unfit;
  }

  #inBody(text: string): boolean {
    const before = this.#quote;
    for (const [tag] of text.includes('$') && !text.startsWith('--') ? text.matchAll(QUOTE) : [])
      if (this.#quote === undefined) this.#quote = tag;
      else if (this.#quote === tag) this.#quote = undefined;
    return before !== undefined;
  }

  facts(): StatementFacts & { readonly header: boolean; readonly refusal: string | undefined } {
    return {
      server: this.#server,
      pgDump: this.#pgDump,
      owners: [...this.#owners],
      roles: [...this.#roles],
      extensions: [...this.#extensions],
      restrictKey: this.#restrictKey,
      header: this.header,
      refusal: this.refusal,
    };
  }

  /** Whether \unrestrict, which follows the trailer, is there where \restrict is. */
  get isClosed(): boolean {
    return this.#restrictKey === null || this.#isReleased;
  }

  #statement(text: string): void {
    if (text.startsWith('INSERT INTO ')) this.refusal ??= INSERTS;
    if (/^DROP (?!.* IF EXISTS )/.test(text)) this.refusal ??= CLEAN;
    if (/^(?:CREATE|DROP) DATABASE /.test(text)) this.refusal ??= CREATE;
    const [, table] = text.startsWith('CREATE ') ? (TABLE.exec(text) ?? []) : [];
    if (table !== undefined) this.made.add(table.replaceAll('"', ''));
    const [, extension] = text.startsWith('CREATE EXTENSION') ? (EXTENSION.exec(text) ?? []) : [];
    if (extension !== undefined) this.#extensions.add(roleName(extension));
    const [, owner] = text.endsWith(';') ? (OWNER.exec(text) ?? []) : [];
    if (owner !== undefined) {
      this.#owners.add(roleName(owner));
      this.#roles.add(roleName(owner));
    }
    const [, granted] = /^(?:GRANT|REVOKE) /.test(text) ? (GRANT.exec(text) ?? []) : [];
    if (granted !== undefined && !EVERYBODY.includes(granted)) this.#roles.add(roleName(granted));
  }

  /** Commands of psql: pg_dump writes \restrict, \unrestrict and, with --create, \connect; others could do anything. */
  #command(text: string): void {
    const [, un, key] = RESTRICT.exec(text) ?? [];
    if (text.startsWith('\\connect')) this.refusal ??= CREATE;
    else if (key === undefined)
      this.refusal ??= `holds a command of psql that pg_dump does not write: ${text.slice(0, 40).replaceAll(/\p{Cc}/gu, ' ')}`;
    else if (un === undefined) this.#restrictKey ??= key;
    else this.#isReleased = key === this.#restrictKey;
  }
}

const CLUSTER = 'is of pg_dumpall: make one of the database alone, by pg_dump';
const CREATE =
  'was made with --create: it would go into a database of its own choice. Make it without that option';
const CLEAN =
  'was made with --clean: its DROP statements fail in an empty database. Make it without that option';
const ARCHIVE = 'is an archive (pg_dump --format=custom) that was packed once more: unpack it';
const LINES = 'has line breaks of another system (CR LF): it was changed on its way here. Copy it as it is';
const INSERTS = 'was made with --inserts, which is not read: make it without that option';

/** Why a dump cannot be used, in words that follow its name; undefined when it can, as far as its statements say. */
export function refusalOf(
  { header, refusal }: { readonly header: boolean; readonly refusal: string | undefined },
  complete: boolean,
): string | undefined {
  return header || complete ? refusal : 'is no dump of pg_dump';
}

function roleName(written: string): string {
  return written.startsWith('"') ? written.slice(1, -1).replaceAll('""', '"') : written;
}
