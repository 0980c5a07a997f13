import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(new URL('docs', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const read = (page: string): string => readFileSync(new URL(page, ROOT), 'utf8');

/** As GitHub makes them of headings. */
function anchors(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function broken(page: string): string[] {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : posix.join(posix.dirname(page), path);
    if (!existsSync(new URL(target, ROOT))) return true;
    return anchor !== undefined && !anchors(target).includes(anchor);
  });
}

describe('the documentation', () => {
  it.each(pages)('%s links only to what is there', (page) => {
    expect(broken(page)).toEqual([]);
  });

  it('finds the page of a decision under its number only once', () => {
    const numbers = pages.flatMap((page) => /decisions\/(\d{4})-/.exec(page)?.[1] ?? []);
    expect(numbers).toEqual([...new Set(numbers)]);
  });
});
