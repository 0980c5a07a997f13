/** What a mail is made of, with placeholders. */
export interface MailTemplate {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export type MailValues = Readonly<Record<string, string>>;

export const PLACEHOLDER = /\{\{\s*([a-z_]+)\s*\}\}/g;

const MOST_VALUE = 2_000;

/** A line that names a value which is absent or empty is left out whole, in text and in HTML. */
export function fill(template: MailTemplate, values: MailValues): MailTemplate {
  return {
    subject: filled(template.subject, values, plain).trim(),
    text: filled(template.text, values, plain),
    html: filled(template.html, values, (value) => escapeHtml(plain(value))),
  };
}

function filled(text: string, values: MailValues, shown: (value: string) => string): string {
  const absent = (name: string): boolean => !Object.hasOwn(values, name) || values[name] === '';
  return text
    .split('\n')
    .filter((line) => ![...line.matchAll(PLACEHOLDER)].some(([, name = '']) => absent(name)))
    .map((line) => line.replaceAll(PLACEHOLDER, (_all, name: string) => shown(values[name] ?? '')))
    .join('\n');
}

/** On one line: a value must not begin a paragraph, or a header field, of its own. */
function plain(value: string): string {
  return value.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').slice(0, MOST_VALUE);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
