import { onOneLine, type OutFormat } from './out-format.ts';

const VARIABLE = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)$/;
const PENDING = /^# being made: (\w+)(?: (\S*))?$/;
const OWNER = /^# of (\w+): (\S+)$/;

/** `NAME=value`, one a line, as --env-file and Docker read it. Marks are comments above. */
export const envText: OutFormat = {
  read(text) {
    const values = new Map<string, string>();
    const pending = new Map<string, readonly string[]>();
    const belongs = new Map<string, string>();
    for (const line of text.split(/\r?\n/)) {
      const [, waiting, before = ''] = PENDING.exec(line) ?? [];
      const [, owned, owner = ''] = OWNER.exec(line) ?? [];
      const [, name, value = ''] = VARIABLE.exec(line) ?? [];
      if (waiting !== undefined) pending.set(waiting, before === '' ? [] : before.split(','));
      if (owned !== undefined) belongs.set(owned, owner);
      if (name !== undefined) values.set(name, unquoted(value.trim()));
    }
    return { values, pending, belongs };
  },
  write(before, kept) {
    const { values, pending, belongs } = kept;
    const lines = before.split(/\r?\n/).filter((line) => !PENDING.test(line) && !OWNER.test(line));
    while (lines.at(-1) === '') lines.pop();
    const earlier = envText.read(before).values;
    for (const [name, value] of values) {
      if (earlier.get(name) === value) continue;
      const at = lines.findIndex((line) => VARIABLE.exec(line)?.[1] === name);
      const line = `${name}=${onOneLine(name, value)}`;
      if (at === -1) lines.push(line);
      else lines.splice(at, 1, line);
    }
    const marks = [
      ...[...pending].map(([name, ids]) => `# being made: ${name} ${ids.join(',')}`.trimEnd()),
      ...[...belongs].map(([name, owner]) => `# of ${name}: ${owner}`),
    ];
    return `${[...marks, ...lines].join('\n')}\n`;
  },
};

function unquoted(value: string): string {
  const [, quote, inner = ''] = /^(["'])(.*)\1$/.exec(value) ?? [];
  return quote === undefined ? value : inner;
}
