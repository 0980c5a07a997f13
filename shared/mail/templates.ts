import { createHash } from 'node:crypto';
import { escapeHtml, PLACEHOLDER, type MailTemplate } from './fill.ts';
import { EVERY_MAIL, isMailKind, KINDS, type MailKind, type MailKindName } from './kinds.ts';

/** Where templates are: `<language>/<kind>.txt` and `.html`, `<language>/layout.html`, and the same below `tenants/<slug>/`. */
export const TEMPLATES_FOLDER = 'config/mail';

/** Every text of the folder by its path below it, with `/`. */
export type TemplateFiles = ReadonlyMap<string, string>;

export interface StoredTemplate extends MailTemplate {
  /** SHA-256 of the content, as hex. */
  readonly digest: string;
}

export interface MailTemplates {
  /** The tenant's own before the general one, in the first language that has one, at last in English. */
  find(kind: MailKindName, tenant: string | null, languages?: readonly string[]): StoredTemplate;
  readonly all: readonly StoredTemplate[];
}

/** The templates cannot be used: `templateFaults` has the reasons. */
export class UnusableTemplates extends Error {
  override readonly name = 'UnusableTemplates';
}

export const LAST_LANGUAGE = 'en';
const LAYOUT = 'layout.html';

/** Throws UnusableTemplates. */
export function compileTemplates(files: TemplateFiles): MailTemplates {
  const [fault] = templateFaults(files);
  if (fault !== undefined) throw new UnusableTemplates(fault);
  const made = new Map<string, StoredTemplate>();
  for (const [path, text] of files) {
    const name = /^(.*)\.txt$/.exec(path)?.[1];
    if (name !== undefined) made.set(name, stored(name, text, files));
  }
  return {
    all: [...made.values()],
    find(kind, tenant, languages = []) {
      for (const language of [...languages, LAST_LANGUAGE]) {
        const own = tenant === null ? undefined : made.get(`tenants/${tenant}/${language}/${kind}`);
        const found = own ?? made.get(`${language}/${kind}`);
        if (found !== undefined) return found;
      }
      throw new UnusableTemplates(`${kind} has no template`);
    },
  };
}

function stored(name: string, text: string, files: TemplateFiles): StoredTemplate {
  const { subject, body } = inParts(text);
  const content = layoutOf(name, files).replaceAll(
    /\{\{\s*content\s*\}\}/g,
    () => files.get(`${name}.html`) ?? '',
  );
  const html = content.replaceAll(/\{\{\s*subject\s*\}\}/g, () => escapeHtml(subject));
  const template = { subject, text: body, html };
  const digest = createHash('sha256')
    .update(JSON.stringify([subject, body, html]))
    .digest('hex');
  return { ...template, digest };
}

/** The first line is the subject, an empty one follows. */
function inParts(text: string): { readonly subject: string; readonly body: string } {
  const [, subject = '', body = ''] = /^Subject: *([^\n]*)\n\n([\s\S]*)$/.exec(lines(text)) ?? [];
  return { subject: subject.trim(), body };
}

function lines(text: string): string {
  return text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
}

/** The one beside it, else the general one of its language, else the English one. */
function layoutOf(name: string, files: TemplateFiles): string {
  const folder = name.slice(0, name.lastIndexOf('/'));
  const language = folder.slice(folder.lastIndexOf('/') + 1);
  const candidates = [folder, language, LAST_LANGUAGE].map((each) => files.get(`${each}/${LAYOUT}`));
  return lines(candidates.find((each) => each !== undefined) ?? '');
}

const PATH =
  /^(?:tenants\/[A-Za-z0-9][A-Za-z0-9_.-]*\/)?[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\/([a-z][a-z-]*)\.(txt|html)$/;

/** Every fault of the templates, each with its file. */
export function templateFaults(files: TemplateFiles): string[] {
  const missing = Object.keys(KINDS).flatMap((kind) => {
    const paths = [`${LAST_LANGUAGE}/${kind}.txt`, `${LAST_LANGUAGE}/${kind}.html`];
    return paths.flatMap((path) => (files.has(path) ? [] : [`${path} is missing`]));
  });
  const layout = files.has(`${LAST_LANGUAGE}/${LAYOUT}`) ? [] : [`${LAST_LANGUAGE}/${LAYOUT} is missing`];
  return [...missing, ...layout, ...[...files].flatMap(([path, text]) => faultsOf(path, lines(text), files))];
}

function faultsOf(path: string, text: string, files: TemplateFiles): string[] {
  const [, name = '', form = ''] = PATH.exec(path) ?? [];
  if (name === '')
    return [`${path} is no template: <language>/<kind>.txt or .html, below tenants/<slug>/ or not`];
  const html = form === 'html' ? markupFaults(text) : [];
  if (name === 'layout')
    return inFile(path, [
      ...html,
      ...placeholderFaults(text, ['subject', 'content', ...EVERY_MAIL], ['content']),
    ]);
  if (!isMailKind(name))
    return inFile(path, [`there is no mail ${name}: there are ${Object.keys(KINDS).join(', ')}`]);
  const kind: MailKind = KINDS[name];
  const other = path.replace(/\.(?:txt|html)$/, form === 'txt' ? '.html' : '.txt');
  const alone = files.has(other) ? [] : [`comes alone: ${other} is missing`];
  const unsubject =
    form === 'txt' && inParts(text).subject === ''
      ? ['begin it with a line "Subject: …" and an empty line']
      : [];
  const known = [...kind.values, ...EVERY_MAIL];
  return inFile(path, [...alone, ...unsubject, ...html, ...placeholderFaults(text, known, kind.needed)]);
}

function inFile(path: string, faults: readonly string[]): string[] {
  return faults.map((fault) => `${path}: ${fault}`);
}

function placeholderFaults(text: string, known: readonly string[], needed: readonly string[]): string[] {
  const named = new Set([...text.matchAll(PLACEHOLDER)].map(([, name = '']) => name));
  const unknown = [...named].filter((name) => !known.includes(name));
  const lacking = needed.filter((name) => !named.has(name));
  const broken = /\{\{|\}\}/.test(text.replaceAll(PLACEHOLDER, ''));
  return [
    ...unknown.map((name) => `{{${name}}} is unknown: there are ${known.join(', ')}`),
    ...lacking.map((name) => `{{${name}}} is missing`),
    ...(broken ? ['a placeholder is written {{name}}'] : []),
  ];
}

/** What a mail program would fetch, or run: fetching discloses that the mail was read. */
const FETCHED =
  /<\s*(?:img|script|link|iframe|object|embed|video|audio|source|form|base|svg)\b|\b(?:src|srcset|background|poster|on[a-z]+)\s*=|url\s*\(|@import/i;

function markupFaults(text: string): string[] {
  const fetched = FETCHED.exec(text)?.[0];
  const targets = [...text.matchAll(/\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/gi)];
  const strange = targets
    .map(([, double, single, bare]) => double ?? single ?? `${bare ?? ''} without quotes`)
    .filter(
      (target) => !/^(?:\{\{\s*(?:[a-z_]*link|[a-z_]+_url)\s*\}\}|https?:\/\/|mailto:|#)[^ ]*$/.test(target),
    );
  return [
    ...(fetched === undefined ? [] : [`holds ${fetched}: nothing in a mail may be fetched or run`]),
    ...strange.map((target) => `links to ${target}: write a value that is a link, https:, or mailto:`),
  ];
}
