import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';

/** One file of the project and what it imports. */
export interface Source {
  /** From the root, as in `functions/app.ts`. */
  readonly path: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

export interface Import {
  /** A path from the root, a package (`@scope/name`, no subpath) or a module of the runtime (`node:fs`). */
  readonly to: string;
  readonly local: boolean;
  /** Erased when the program runs. */
  readonly typeOnly: boolean;
}

const ROOT = new URL('../../', import.meta.url);
/** Both files that `#platform` of package.json stands for. */
const PLATFORM = ['shared/adapters/node/platform.ts', 'shared/adapters/workerd/platform.ts'];

/** Every TypeScript file of these folders. */
export function readSources(...folders: readonly string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
      .map((name) => posix.join(folder, name))
      .map((path) => parse(path, readFileSync(new URL(path, ROOT), 'utf8'))),
  );
}

export function parse(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const imports: Import[] = [];
  visit(tree, (node) => {
    const found = importOf(node);
    if (found !== undefined) imports.push(...resolve(path, found.specifier, found.typeOnly));
  });
  return { path, tree, imports };
}

/** Calls back for the node and everything below it. */
export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => {
    visit(child, see);
  });
}

function importOf(node: ts.Node): { specifier: string; typeOnly: boolean } | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier))
    return {
      specifier: node.moduleSpecifier.text,
      typeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
    };
  if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier))
    return { specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly };
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    const { literal } = node.argument;
    return ts.isStringLiteral(literal) ? { specifier: literal.text, typeOnly: true } : undefined;
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments;
    // A computed import cannot be judged, so it counts as one that no rule allows.
    const specifier = argument && ts.isStringLiteral(argument) ? argument.text : '(computed)';
    return { specifier, typeOnly: false };
  }
  return undefined;
}

function resolve(from: string, specifier: string, typeOnly: boolean): Import[] {
  if (specifier === '#platform') return PLATFORM.map((to) => ({ to, local: true, typeOnly }));
  if (specifier.startsWith('.'))
    return [{ to: posix.join(posix.dirname(from), specifier), local: true, typeOnly }];
  const parts = specifier.split('/');
  const to = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
  return [{ to: specifier.startsWith('node:') ? specifier : to, local: false, typeOnly }];
}
