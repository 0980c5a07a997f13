import type { Readable } from 'node:stream';

export interface LastLines {
  lines(): readonly string[];
}

const KEPT = 4;
const LONGEST = 500;

/** Keeps the end of a child's stderr, without control characters and secrets; hands each line to `log`. */
export function lastLinesOf(
  stream: Readable,
  variables: Readonly<Record<string, string>> = {},
  log?: (line: string) => void,
): LastLines {
  const secrets = Object.entries(variables).flatMap(([name, value]) =>
    name.endsWith('PASSWORD') && value !== '' ? [value] : [],
  );
  const kept: string[] = [];
  let rest = '';
  const take = (text: string): void => {
    const line = secrets
      .reduce((all, secret) => all.replaceAll(secret, '…'), text)
      .replaceAll(/\p{Cc}+/gu, ' ')
      .trimEnd();
    if (line === '') return;
    log?.(line);
    kept.push(line.slice(0, LONGEST));
    if (kept.length > KEPT) kept.shift();
  };
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-LONGEST * 2);
    for (const line of lines) take(line);
  });
  stream.once('end', () => {
    take(rest);
    rest = '';
  });
  return { lines: () => kept };
}
