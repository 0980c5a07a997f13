import { parse, type DocumentNode, type MemberNode, type ValueNode } from '@humanwhocodes/momoa';

export type JsonPath = readonly (string | number)[];

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** A parsed RFC 8259 text with source positions. */
export interface JsonText {
  readonly value: unknown;
  /** Returns the position of a value, of a member that of its name; for an absent path that of its nearest ancestor. */
  locate(path: JsonPath): Position;
  /** Repeated names in one object (RFC 8259 §4): JSON.parse silently keeps the last. */
  readonly duplicates: readonly { readonly path: JsonPath; readonly position: Position }[];
}

export type ReadJson =
  | { readonly ok: true; readonly json: JsonText }
  | { readonly ok: false; readonly problem: string; readonly position: Position };

export function readJson(text: string): ReadJson {
  // RFC 8259 §8.1: a parser may ignore a leading byte order mark.
  const source = text.replace(/^\uFEFF/, '');
  const broken = source.indexOf(REPLACEMENT);
  if (broken >= 0) return { ok: false, problem: NOT_UTF_8, position: positionAt(source, broken) };
  let document: DocumentNode;
  let value: unknown;
  try {
    document = parse(source);
    value = JSON.parse(source);
  } catch (error) {
    return { ok: false, ...faultOf(source, error) };
  }
  const { body } = document;
  return {
    ok: true,
    json: { value, locate: (path) => locate(body, path), duplicates: duplicatesIn(body, []) },
  };
}

/** A decoder's substitute for bytes that are not UTF-8; taken literally, it would be part of a path that no request can have. */
const REPLACEMENT = '\uFFFD';
const NOT_UTF_8 =
  'here are bytes that are not UTF-8 (or U+FFFD, which stands for such): save the file as UTF-8';

/** The parser reports tokens, and accepts control characters in strings, which JSON.parse rejects without a position. */
function faultOf(source: string, error: unknown): { problem: string; position: Position } {
  const control = controlInString(source);
  const parsers = offsetOf(error);
  if (control !== undefined && (parsers === undefined || control < parsers))
    return { problem: problemOf(source.charCodeAt(control)), position: positionAt(source, control) };
  if (isCutOff(source))
    return { problem: 'the text ends too early', position: positionAt(source, source.trimEnd().length) };
  const position = positionOf(error);
  return { problem: problemAt(source, position), position };
}

/** A truncated token at the end of a text: part of a literal, a number or an escape. */
const PARTIAL =
  /(?:(?<![a-z])(?:tru?|fa?|fals?|nul?|[tn])|-|(?<=\d)(?:\.|[eE][+-]?)|\\(?:u[0-9a-fA-F]{0,3})?)$/;

function isCutOff(source: string): boolean {
  return isSound(source) || (PARTIAL.test(source) && isSound(source.replace(PARTIAL, '')));
}

/** Whether this is a prefix of a JSON text: the parser then rejects an appended invalid character, and nothing before it. */
function isSound(beginning: string): boolean {
  try {
    parse(`${beginning}!`);
    return false;
  } catch (error) {
    return (offsetOf(error) ?? 0) >= beginning.length;
  }
}

function problemOf(control: number): string {
  if (control === 0x0a || control === 0x0d)
    return 'a string ends with its line: is its closing quote missing? A line break in a string is written \\n';
  if (control === 0x09) return 'a raw tab (U+0009) in a string: write \\t';
  const code = control.toString(16).toUpperCase().padStart(4, '0');
  return `a raw control character (U+${code}) in a string: write \\u${code}`;
}

/** Offset of the first raw control character within a string (RFC 8259 §7). */
function controlInString(source: string): number | undefined {
  let inside = false;
  for (let at = 0; at < source.length; at += 1) {
    const code = source.charCodeAt(at);
    if (code === 0x22) inside = !inside;
    else if (inside && code < 0x20) return at;
    else if (inside && code === 0x5c) at += 1;
  }
  return undefined;
}

function positionAt(source: string, offset: number): Position {
  const lines = source.slice(0, offset).split(/\r\n|[\n\r]/);
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

function offsetOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('offset' in error)) return undefined;
  return typeof error.offset === 'number' ? error.offset : undefined;
}

/** Describes a syntax error by the character at its position. */
function problemAt(source: string, { line, column }: Position): string {
  const lines = source.split(/\r\n|[\n\r]/);
  const before = [...lines.slice(0, line - 1), lines[line - 1]?.slice(0, column - 1) ?? ''].join('\n');
  const found = lines[line - 1]?.[column - 1];
  if (found === undefined) return 'the text ends too early';
  if (found === '/') return 'JSON has no comments';
  if ((found === '}' || found === ']') && before.trimEnd().endsWith(','))
    return 'JSON has no trailing commas';
  if (/^[\x21-\x7e]$/.test(found)) return `unexpected ${JSON.stringify(found)}`;
  // Look-alikes of a space or a quote differ visibly only by code point.
  const code = (lines[line - 1]?.codePointAt(column - 1) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `unexpected U+${code}${/\p{L}|\p{P}|\p{S}/u.test(found) ? ` (${found})` : ''}`;
}

function positionOf(error: unknown): Position {
  if (typeof error !== 'object' || error === null) return { line: 1, column: 1 };
  const line = 'line' in error && typeof error.line === 'number' ? error.line : 1;
  const column = 'column' in error && typeof error.column === 'number' ? error.column : 1;
  return { line, column };
}

function locate(root: ValueNode, path: JsonPath): Position {
  let node: ValueNode = root;
  let position = startOf(root);
  for (const step of path) {
    if (node.type === 'Array') {
      const element = node.elements[Number(step)];
      if (element === undefined) return position;
      node = element.value;
      position = startOf(node);
      continue;
    }
    const member: MemberNode | undefined =
      node.type === 'Object' ? node.members.findLast((candidate) => nameOf(candidate) === step) : undefined;
    if (member === undefined) return position;
    node = member.value;
    position = startOf(member);
  }
  return position;
}

function duplicatesIn(node: ValueNode, path: JsonPath): { path: JsonPath; position: Position }[] {
  if (node.type === 'Array') {
    return node.elements.flatMap((element, at) => duplicatesIn(element.value, [...path, at]));
  }
  if (node.type !== 'Object') return [];
  const seen = new Set<string>();
  return node.members.flatMap((member) => {
    const name = nameOf(member);
    const below = duplicatesIn(member.value, [...path, name]);
    if (!seen.has(name)) {
      seen.add(name);
      return below;
    }
    return [{ path: [...path, name], position: startOf(member) }, ...below];
  });
}

function nameOf(member: MemberNode): string {
  return member.name.type === 'String' ? member.name.value : member.name.name;
}

function startOf(node: ValueNode | MemberNode): Position {
  const { line, column } = node.loc.start;
  return { line, column };
}

/** RFC 6901 §3. */
export function pointerTo(path: JsonPath): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** `line:column message`, as faults of a text are listed. */
export function place({ line, column, message }: Position & { readonly message: string }): string {
  return `${line}:${column} ${message}`;
}
