import type { SectionResult, Table, Verdict } from './figures.ts';

const VERDICT_COLUMNS = ['promise', 'target', 'measured', 'from–to', 'CPU s per 1,000', 'verdict'];

/** Everything as aligned text for a terminal. */
export function asText(results: readonly SectionResult[]): string {
  return render(results, textTable);
}

/** The same as Markdown. */
export function asMarkdown(results: readonly SectionResult[]): string {
  return render(results, markdownTable);
}

function render(results: readonly SectionResult[], draw: (table: Table) => string): string {
  const tables = results.flatMap((result) => result.tables);
  const notes = results.flatMap(({ section, notes: said }) => said.map((note) => `- ${section}: ${note}`));
  const verdicts = results.flatMap((result) => result.verdicts);
  return [verdicts.length === 0 ? '' : draw(verdictTable(verdicts)), ...tables.map(draw), notes.join('\n')]
    .filter(Boolean)
    .join('\n\n');
}

function verdictTable(verdicts: readonly Verdict[]): Table {
  const rows = verdicts.map((it) => {
    const goal = it.atLeast === undefined ? `<= ${String(it.atMost)}` : `>= ${it.atLeast.toFixed(2)}`;
    const unit = it.unit === '' ? '' : ` ${it.unit}`;
    const spread = it.spread?.map((figure) => figure.toFixed(2)).join('–') ?? '';
    const cpu = it.cpu?.map((seconds) => seconds.toFixed(3)).join(' : ') ?? '';
    return [it.promise, goal + unit, it.measured.toFixed(2) + unit, spread, cpu, it.met ? 'met' : 'missed'];
  });
  return { title: 'Targets', columns: VERDICT_COLUMNS, rows };
}

function textTable({ title, columns, rows }: Table): string {
  const widths = columns.map((column, at) =>
    Math.max(column.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ');
  return [title, line(columns), ...rows.map(line)].join('\n');
}

function markdownTable({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = line(columns.map((_, at) => (at === 0 ? '---' : '---:')));
  return [`### ${title}`, '', line(columns), rule, ...rows.map(line)].join('\n');
}
