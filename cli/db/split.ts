/**
 * One token of SQL (PostgreSQL manual, 4.1): comments, strings with and without escapes, quoted names,
 * dollar-quoted bodies. Nested block comments are not read; migrations have none.
 */
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|;|[\s\S]/g;

/** The statements of a file, without their semicolons; pieces that are only comments are left out. */
export function splitStatements(text: string): string[] {
  const statements: string[] = [];
  let current = '';
  let substance = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === ';') {
      if (substance) statements.push(current.trim());
      current = '';
      substance = false;
    } else {
      current += token;
      substance ||= !/^(?:--|\/\*|\s)/.test(token);
    }
  }
  if (substance) statements.push(current.trim());
  return statements;
}
