/** One row, RFC 4180, with its line break. Values are found by the names of the columns. */
export function csvLine(row: object, columns: readonly string[]): string {
  const values = new Map(Object.entries(row));
  return `${columns.map((column) => csvCell(values.get(column))).join(',')}\r\n`;
}

/** What spreadsheets compute when a text begins with it. */
const FORMULA = /^[\s]*[=+\-@\t\r\n＝＋－＠|%]/u;
const QUOTED = /["\r\n,]/;

/** A text that a spreadsheet would compute begins with an apostrophe, which shows it as text. */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return JSON.stringify(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
