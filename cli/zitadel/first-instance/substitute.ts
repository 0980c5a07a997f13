/** A text with its variables put in; `missing` have neither a value nor a default, and Compose puts in nothing for them. */
export interface Substituted {
  readonly text: string;
  readonly missing: readonly string[];
}

export type Lookup = (name: string) => string | undefined;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/** `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`, `${NAME:?message}`, the same without the colon, and `$$`, as Compose has them. */
export function substitute(template: string, lookup: Lookup): Substituted {
  let text = '';
  const missing: string[] = [];
  const take = (part: Substituted): void => {
    text += part.text;
    missing.push(...part.missing);
  };
  for (let at = 0; at < template.length;) {
    const rest = template.slice(at);
    if (rest.startsWith('$$')) {
      text += '$';
      at += 2;
    } else if (rest.startsWith('${')) {
      const inside = template.slice(at + 2, closing(template, at + 2));
      take(braced(inside, lookup));
      at += inside.length + 3;
    } else if (rest.startsWith('$') && NAME.test(rest.slice(1))) {
      const [name = ''] = NAME.exec(rest.slice(1)) ?? [];
      take(plain(name, lookup));
      at += name.length + 1;
    } else {
      text += template.charAt(at);
      at += 1;
    }
  }
  return { text, missing };
}

/** Index of the brace that closes what began before `from`; the end of the text where none does. */
function closing(template: string, from: number): number {
  for (let at = from, depth = 1; at < template.length; at++) {
    if (template.startsWith('${', at)) depth += 1;
    else if (template.charAt(at) === '}' && --depth === 0) return at;
  }
  return template.length;
}

function plain(name: string, lookup: Lookup): Substituted {
  const value = lookup(name);
  return value === undefined ? { text: '', missing: [name] } : { text: value, missing: [] };
}

function braced(inside: string, lookup: Lookup): Substituted {
  const [name = ''] = NAME.exec(inside) ?? [];
  const [, colon = '', operator = '', word = ''] =
    /^(:?)([-+?])([^]*)$/.exec(inside.slice(name.length)) ?? [];
  const value = lookup(name);
  const counts = value !== undefined && (colon === '' || value !== '');
  if (operator === '+') return counts ? substitute(word, lookup) : { text: '', missing: [] };
  if (operator === '-' && !counts) return substitute(word, lookup);
  if (operator === '?' && !counts) return { text: '', missing: [name] };
  return plain(name, lookup);
}
