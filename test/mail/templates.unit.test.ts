import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readFolder } from '../../shared/configuration/folder.ts';
import { fill, PLACEHOLDER } from '../../shared/mail/fill.ts';
import { KINDS, type MailKindName } from '../../shared/mail/kinds.ts';
import { compileTemplates, templateFaults, UnusableTemplates } from '../../shared/mail/templates.ts';
import { bundledTemplates, target } from '../../scripts/mail-templates.mjs';

const FILES = readFolder('config/mail');
const withFile = (path: string, text: string) => new Map([...FILES, [path, text]]);
const FETCHED = 'nothing in a mail may be fetched or run';
const kinds = Object.keys(KINDS) as MailKindName[];

describe('the templates of config/mail', () => {
  it('have no fault', () => {
    expect(templateFaults(FILES)).toEqual([]);
  });

  it('are in the bundle of Workers as they are in the folder', () => {
    expect(readFileSync(target, 'utf8')).toBe(bundledTemplates());
  });

  it.each(kinds)('%s is whole without the values that may be absent, and shows all of them', (kind) => {
    const template = compileTemplates(FILES).find(kind, null);
    const { values, needed } = KINDS[kind];
    const all = Object.fromEntries(
      [...values, 'product', 'support_email', 'guide_url'].map((name) => [name, `<${name}>`]),
    );
    const bare = Object.fromEntries(['product', ...needed].map((name) => [name, `<${name}>`]));
    for (const filled of [fill(template, all), fill(template, bare)]) {
      expect(Object.values(filled).join('')).not.toMatch(/[{}]{2}|undefined/);
      expect(filled.subject).toContain('<product>');
      for (const name of needed) {
        expect(filled.text).toContain(`<${name}>`);
        expect(filled.html).toContain(`&lt;${name}&gt;`);
      }
    }
  });

  it('have a dark form, and fetch nothing', () => {
    for (const { html } of compileTemplates(FILES).all) {
      expect(html).toContain('prefers-color-scheme: dark');
      expect(html).not.toMatch(/src=|url\(|@import|<img|<link/i);
    }
  });
});

describe('a template', () => {
  it.each([
    [
      'en/password-reset.txt',
      'Subject: x\n\n{{link}} {{password}}',
      '{{password}} is unknown: there are name, link, minutes, product, support_email, guide_url',
    ],
    ['en/password-reset.txt', 'Subject: x\n\nno link', '{{link}} is missing'],
    ['en/password-reset.txt', 'Subject: x\n\n{{link}} {{ link', 'a placeholder is written {{name}}'],
    ['en/password-reset.txt', '{{link}}', 'begin it with a line "Subject: …" and an empty line'],
    ['de/password-reset.txt', 'Subject: x\n\n{{link}}', 'comes alone: de/password-reset.html is missing'],
    ['en/pasword-reset.txt', 'Subject: x\n\n{{link}}', 'there is no mail pasword-reset'],
    ['password-reset.txt', 'Subject: x\n\n{{link}}', '<language>/<kind>.txt or .html'],
    ['tenants/../en/password-reset.txt', 'Subject: x\n\n{{link}}', '<language>/<kind>.txt or .html'],
    ['en/layout.html', '<p></p>', '{{content}} is missing'],
    ['en/password-reset.html', '<a href="{{link}}">x</a><img alt="">', FETCHED],
    ['en/password-reset.html', '<a href="{{link}}">x</a><p style="background: URL (//x)">', FETCHED],
    ['en/password-reset.html', '<a href="{{link}}" onclick="x()">x</a>', FETCHED],
    ['en/password-reset.html', '<a href="{{name}}">{{link}}</a>', 'links to {{name}}'],
    ['en/password-reset.html', '<a href="javascript:x">{{link}}</a>', 'links to javascript:x'],
    ['en/password-reset.html', '<a href={{link}}>x</a>', 'links to {{link}} without quotes'],
  ])('%s with %j: %s', (path, text, fault) => {
    const files = withFile(path, text);
    expect(
      templateFaults(files)
        .map((each) => each.replace(/^[^:]*: /, ''))
        .join('\n'),
    ).toContain(fault);
    expect(() => compileTemplates(files)).toThrow(UnusableTemplates);
  });

  it('that is missing in English is a fault by its name', () => {
    const files = new Map([...FILES].filter(([path]) => path !== 'en/invitation.html'));
    expect(templateFaults(files)).toContain('en/invitation.html is missing');
  });

  it('is the own one of a tenant, in the first language that has one', () => {
    const pair = (folder: string, word: string): [string, string][] => [
      [`${folder}/password-reset.txt`, `Subject: ${word}\n\n{{link}}`],
      [`${folder}/password-reset.html`, `<a href="{{link}}">${word}</a>`],
    ];
    const files = new Map([
      ...FILES,
      ...pair('de', 'deutsch'),
      ...pair('tenants/acme/en', 'acme'),
      ['tenants/acme/en/layout.html', '<i>{{content}}</i>'] as const,
    ]);
    const templates = compileTemplates(files);
    const subject = (tenant: string | null, ...languages: string[]) =>
      templates.find('password-reset', tenant, languages).subject;
    expect(subject(null, 'de')).toBe('deutsch');
    expect(subject('acme')).toBe('acme');
    expect(subject('acme', 'fr', 'de')).toBe('deutsch');
    expect(subject('other', 'fr')).toBe(templates.find('password-reset', null).subject);
    expect(templates.find('password-reset', 'acme').html).toBe('<i><a href="{{link}}">acme</a></i>');
  });
});

describe('filling', () => {
  const template = {
    subject: 'At {{product}}',
    text: 'a\nHi {{name}},\nb {{guide_url}}\nc',
    html: '<p>{{name}}</p>\n<a href="{{link}}">',
  };

  it('leaves out the lines of absent values, and no others', () => {
    expect(fill(template, { product: 'P', name: '' }).text).toBe('a\nc');
    expect(fill(template, { product: 'P', name: 'Bob' }).text).toBe('a\nHi Bob,\nc');
  });

  it('escapes in HTML, and lets no value begin a line, end an attribute or be a placeholder', () => {
    const evil = `"><script>'x'&\r\nBcc: x\u2028\u202e{{product}}`;
    const { subject, text, html } = fill(template, { product: evil, name: evil, link: evil });
    expect(subject).toBe(`At "><script>'x'& Bcc: x {{product}}`);
    expect(text.split('\n')).toHaveLength(3);
    expect(html).not.toMatch(/<script|"'|""|\n<\/a/);
    expect(html).toContain('&quot;&gt;&lt;script&gt;&#39;x&#39;&amp; Bcc: x');
    expect([...html.matchAll(PLACEHOLDER)].map(([, name]) => name)).toEqual(['product', 'product']);
  });

  it('takes no values from prototypes', () => {
    expect(fill({ ...template, text: '{{constructor}}' }, {}).text).toBe('');
  });
});
