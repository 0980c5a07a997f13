import ts from 'typescript';
import type { Rule } from './import-rules.ts';
import { inside, ADAPTERS, PRODUCT } from './layout.ts';
import { visit, type Source } from './source.ts';

/** A rule about single nodes: `seen` names what it objects to. */
function object(
  applies: (path: string) => boolean,
  seen: (node: ts.Node, source: Source) => string | undefined,
): Rule {
  return (sources) =>
    sources
      .filter(({ path }) => applies(path))
      .flatMap((source) => {
        const found: string[] = [];
        visit(source.tree, (node) => {
          const what = seen(node, source);
          if (what !== undefined) found.push(`${source.path}:${lineOf(node, source)} ${what}`);
        });
        return found;
      });
}

function lineOf(node: ts.Node, { tree }: Source): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

const everywhereBut =
  (...places: readonly string[]) =>
  (path: string): boolean =>
    inside(path, ...PRODUCT) && !inside(path, ...places);

const isAccess = (node: ts.Node, object: string, member: string): boolean =>
  ts.isPropertyAccessExpression(node) && node.expression.getText() === object && node.name.text === member;

export const timeComesFromTheClock = object(
  // The clock itself, the time stamp of log lines, and waiting in commands.
  everywhereBut('shared/runtime.ts', 'shared/adapters/log-json.ts', 'cli'),
  (node) => {
    if (isAccess(node, 'Date', 'now')) return 'Date.now';
    return ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length
      ? 'new Date()'
      : undefined;
  },
);

/** performance.now() measures how long a step took; nothing is decided by it. */
export const durationsAreTakenInTheFrame = object(
  everywhereBut('functions/gateway/journey.ts', 'shared/edge/frame.ts', 'cli'),
  (node) => (isAccess(node, 'performance', 'now') ? 'performance.now' : undefined),
);

const RANDOM = new Set([
  'randomUUID',
  'getRandomValues',
  'randomBytes',
  'randomInt',
  'randomFillSync',
  'random',
]);

export const randomnessComesFromThePort = object(everywhereBut('shared/runtime.ts'), (node) => {
  if (ts.isImportSpecifier(node) && RANDOM.has((node.propertyName ?? node.name).text)) return node.getText();
  if (!ts.isPropertyAccessExpression(node) || !RANDOM.has(node.name.text)) return undefined;
  return /^(?:globalThis\.)?(?:crypto|Math)$/.test(node.expression.getText()) ? node.getText() : undefined;
});

export const fetchComesFromThePort = object(everywhereBut(ADAPTERS), (node) => {
  const global = ts.isIdentifier(node) && node.text === 'fetch' && isFree(node);
  return global || isAccess(node, 'globalThis', 'fetch') ? 'global fetch' : undefined;
});

/** Whether an identifier is read, and no function around it has a parameter or constant of that name. */
function isFree(name: ts.Identifier): boolean {
  const { parent } = name;
  if (!ts.isCallExpression(parent) || parent.expression !== name) return false;
  for (let scope: ts.Node = parent; !ts.isSourceFile(scope); scope = scope.parent) {
    if (declares(scope, name.text)) return false;
  }
  return true;
}

function declares(scope: ts.Node, name: string): boolean {
  const names: readonly ts.BindingName[] = ts.isFunctionLike(scope)
    ? scope.parameters.map((parameter) => parameter.name)
    : ts.isBlock(scope)
      ? scope.statements.flatMap((statement) =>
          ts.isVariableStatement(statement)
            ? statement.declarationList.declarations.map((each) => each.name)
            : [],
        )
      : [];
  return names.some((each) => binds(each, name));
}

function binds(binding: ts.BindingName, name: string): boolean {
  if (ts.isIdentifier(binding)) return binding.text === name;
  return binding.elements.some((element) => ts.isBindingElement(element) && binds(element.name, name));
}

/** The composition root's `Deps` is all there is: who takes it whole could use anything. */
export const functionsNameTheirPorts = object(
  (path) => /^functions\/[^/]+\//.test(path),
  (node) => {
    if (!ts.isTypeReferenceNode(node) || node.typeName.getText() !== 'Deps') return undefined;
    const { parent } = node;
    const picked = ts.isTypeReferenceNode(parent) && parent.typeName.getText() === 'Pick';
    return picked ? undefined : 'the whole Deps';
  },
);

/** The Node entry's main() hands it to the parser, cli/terminal.ts to commands. */
export const rawVariablesAreReadOnce = object(
  everywhereBut('functions/node.ts', 'cli/terminal.ts'),
  (node) => (isAccess(node, 'process', 'env') ? 'process.env' : undefined),
);

/** On Workers a promise of one request cannot be awaited by another, so modules hold values only. */
export const modulesHoldNoPromise = object(everywhereBut('functions/node.ts', 'cli'), (node) => {
  if (ts.isAwaitExpression(node) && !isInFunction(node)) return 'await in module scope';
  const promise = ts.isNewExpression(node) && node.expression.getText() === 'Promise';
  return promise && !isInFunction(node) ? 'promise in module scope' : undefined;
});

function isInFunction(node: ts.Node): boolean {
  for (let at: ts.Node = node.parent; !ts.isSourceFile(at); at = at.parent)
    if (ts.isFunctionLike(at)) return true;
  return false;
}

export const typesAreNotWaved = object(
  (path) => !inside(path, 'test'),
  (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) return 'any';
    if (ts.isNonNullExpression(node)) return 'non-null !';
    const twice = ts.isAsExpression(node) && ts.isAsExpression(node.expression);
    return twice && node.expression.type.kind === ts.SyntaxKind.UnknownKeyword ? 'as unknown as' : undefined;
  },
);

export const checksStayOn: Rule = (sources) =>
  sources.flatMap(({ path, tree }) =>
    [
      ...tree.text.matchAll(
        /@ts-(?:ignore|nocheck|expect-error)|eslint-disable(?!-next-line no-control-regex)/g,
      ),
    ].map(([what]) => `${path} ${what}`),
  );

/** A proof that two files can make proves nothing. */
export const proofsHaveOneMaker: Rule = (sources) => {
  const makers = new Map<string, Set<string>>();
  const calls = object(
    (path) => inside(path, 'functions', 'shared'),
    (node, { path }) => {
      if (!ts.isCallExpression(node) || node.expression.getText() !== 'prove') return undefined;
      const step = node.typeArguments?.[0]?.getText() ?? '(inferred)';
      makers.set(step, (makers.get(step) ?? new Set()).add(path));
      return undefined;
    },
  );
  calls(sources);
  return [...makers]
    .filter(([, files]) => files.size > 1)
    .map(([step, files]) => `${step} in ${[...files].join(', ')}`);
};

const MOST_LINES = 250;

/** A comment that begins with `Long because` gives the reason. */
export const longFilesSayWhy: Rule = (sources) =>
  sources
    .filter(
      ({ tree }) => tree.text.split('\n').length - 1 > MOST_LINES && !/\bLong because\b/.test(tree.text),
    )
    .map(({ path, tree }) => `${path} has ${tree.text.split('\n').length - 1} lines`);
