import { parse, type DocumentNode, type MemberNode, type ValueNode } from '@humanwhocodes/momoa';

export type JsonPath = readonly (string | number)[];

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** RFC 8259 text with the place of everything in it. */
export interface JsonText {
  readonly value: unknown;
  /** Where a value begins, or, of a member, its name. A path that is not there answers with its nearest ancestor. */
  locate(path: JsonPath): Position;
  /** Names written twice in one object: JSON.parse would silently keep the last. */
  readonly duplicates: readonly { readonly path: JsonPath; readonly position: Position }[];
}

export type ReadJson =
  | { readonly ok: true; readonly json: JsonText }
  | { readonly ok: false; readonly problem: string; readonly position: Position };

export function readJson(source: string): ReadJson {
  let document: DocumentNode;
  let value: unknown;
  try {
    document = parse(source);
    value = JSON.parse(source);
  } catch (error) {
    const position = positionOf(error);
    return { ok: false, problem: problemAt(source, position), position };
  }
  const { body } = document;
  return {
    ok: true,
    json: { value, locate: (path) => locate(body, path), duplicates: duplicatesIn(body, []) },
  };
}

/** The parser speaks of tokens; the reader looks at a character. */
function problemAt(source: string, { line, column }: Position): string {
  const lines = source.split(/\r\n|[\n\r]/);
  const before = [...lines.slice(0, line - 1), lines[line - 1]?.slice(0, column - 1) ?? ''].join('\n');
  const found = lines[line - 1]?.[column - 1];
  if (found === undefined) return 'the text ends too early';
  if (found === '/') return 'JSON has no comments';
  if ((found === '}' || found === ']') && before.trimEnd().endsWith(','))
    return 'JSON has no trailing commas';
  return `unexpected ${JSON.stringify(found)}`;
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
