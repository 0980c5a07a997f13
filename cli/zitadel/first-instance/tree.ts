import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document } from 'yaml';
import { Failure } from '../../failure.ts';
import type { Fault } from './settings.ts';

/** YAML with the line of every value; anchors and merge keys are put in. */
export type Tree =
  | { readonly kind: 'map'; readonly line: number; readonly entries: readonly Entry[] }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Tree[] }
  /** `value`: as it is written, null where there is none. `block`: of several lines, from the next one on. */
  | { readonly kind: 'text'; readonly line: number; readonly value: string | null; readonly block: boolean };

export interface Entry {
  readonly key: string;
  /** Of the key. */
  readonly line: number;
  readonly value: Tree;
}

export interface Trees {
  readonly trees: readonly Tree[];
  readonly faults: readonly Fault[];
}

/** Nodes of a file with its anchors put in, which a few lines can make grow without end. */
const MOST_NODES = 100_000;
const DEEPEST = 100;

/** Every document of the file. Throws Failure where it grows without end. */
export function treesOf({ file, text }: { readonly file: string; readonly text: string }): Trees {
  const lines = new LineCounter();
  const documents = [...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })];
  const builder = new Builder(file, lines);
  const trees = documents.flatMap((document) => builder.of(document));
  const errors = documents.flatMap((document) => document.errors);
  const faults = errors.map(({ pos, code, message }) => ({
    file,
    line: lines.linePos(pos[0]).line,
    message: code === 'UNEXPECTED_TOKEN' ? withoutToken(message) : message,
  }));
  return { trees, faults: [...faults, ...builder.faults] };
}

/** The token may be a password that is not in quotes. */
function withoutToken(message: string): string {
  return message.replace(/: .*$/s, '');
}

/** Compose removes or replaces by them what another file has. */
const OF_COMPOSE = new Set(['!reset', '!override']);

class Builder {
  readonly #file: string;
  readonly #lines: LineCounter;
  #nodes = 0;
  readonly faults: Fault[] = [];

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  of(document: Document): Tree[] {
    return document.contents === null ? [] : [this.#tree(document.contents, document, 1, 0)];
  }

  #tree(node: unknown, document: Document, outer: number, depth: number): Tree {
    if ((this.#nodes += 1) > MOST_NODES || depth > DEEPEST)
      throw new Failure(
        `${this.#file} grows without end: its anchors name themselves or one another too often`,
      );
    const line = this.#line(node, outer);
    const below = (child: unknown, at = line): Tree => this.#tree(child, document, at, depth + 1);
    if (isAlias(node)) {
      const named = node.resolve(document);
      if (named === undefined) this.#lost(line, '*', 'names an anchor that is not there');
      return below(named);
    }
    if (isScalar(node) && node.type === 'PLAIN' && node.source === '' && !OF_COMPOSE.has(node.tag ?? '')) {
      if (node.anchor !== undefined) this.#lost(line, '&', 'is an anchor');
      else if (node.tag?.startsWith('!') === true) this.#lost(line, '!', 'is a tag');
    }
    if (isMap(node)) {
      const pairs = node.items.map(({ key, value }): Entry => {
        const at = this.#line(key, line);
        return { key: textOf(key) ?? '', line: at, value: below(value, at) };
      });
      return { kind: 'map', line, entries: merged(pairs) };
    }
    if (isSeq(node)) return { kind: 'list', line, items: node.items.map((item) => below(item)) };
    const block = isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED');
    return { kind: 'text', line, value: textOf(node), block };
  }

  /** Of a password without quotes nothing is left but an empty text. */
  #lost(line: number, begin: string, what: string): void {
    const message = `what begins with ${begin} ${what}, so the value is empty: put a text into quotes`;
    this.faults.push({ file: this.#file, line, message });
  }

  #line(node: unknown, outer: number): number {
    const ranged = isMap(node) || isSeq(node) || isScalar(node) || isAlias(node);
    const start = ranged ? node.range?.[0] : undefined;
    return start === undefined ? outer : this.#lines.linePos(start).line;
  }
}

/** As it is written: `0123`, `yes` and `1_000` are texts to whoever reads variables. */
function textOf(node: unknown): string | null {
  if (!isScalar(node) || node.value === null) return null;
  return typeof node.value === 'string' ? node.value : (node.source ?? JSON.stringify(node.value));
}

/** What `<<` brings, below what stands beside it; of one key the last. */
function merged(pairs: readonly Entry[]): Entry[] {
  const brought = pairs.flatMap(({ key, value }) => (key === '<<' ? entriesOf(value) : []));
  const own = pairs.filter(({ key }) => key !== '<<');
  return [...new Map([...brought, ...own].map((entry) => [entry.key, entry])).values()];
}

function entriesOf(tree: Tree): readonly Entry[] {
  if (tree.kind === 'list') return tree.items.toReversed().flatMap(entriesOf);
  return tree.kind === 'map' ? tree.entries : [];
}

export function entry(tree: Tree | undefined, key: string): Entry | undefined {
  return tree?.kind === 'map' ? tree.entries.find((each) => each.key === key) : undefined;
}

/** Undefined where it is no text. */
export function textAt(tree: Tree | undefined, key: string): string | undefined {
  const found = entry(tree, key)?.value;
  return found?.kind === 'text' ? (found.value ?? undefined) : undefined;
}

/** A list, or one text in the place of a list of one. */
export function listAt(tree: Tree | undefined, key: string): readonly Tree[] {
  const found = entry(tree, key)?.value;
  if (found === undefined) return [];
  return found.kind === 'list' ? found.items : [found];
}
