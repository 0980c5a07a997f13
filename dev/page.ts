import { html, raw } from 'hono/html';

const STYLE = `
  :root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #6e7781; --mark: #0b57d0; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9da7b3; --line: #8b949e; --mark: #8ab4f8; } }
  body { background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 40rem; padding: 2rem 1rem; }
  a { color: var(--mark); }
  :focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
`;

export interface PageOptions {
  /** Follows the title in the window's. */
  readonly site?: string;
  /** Rules beside those of all pages. */
  readonly style?: string;
  /** Loads itself again after this many seconds. */
  readonly refreshSeconds?: number;
}

/** The frame of every page of the embedded stack. */
export function page(
  title: string,
  content: unknown,
  { site = 'Sallyport demo', style = '', refreshSeconds }: PageOptions = {},
) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${refreshSeconds === undefined ? '' : html`<meta http-equiv="refresh" content="${refreshSeconds}" />`}
        <title>${title} – ${site}</title>
        <style>
          ${raw(STYLE + style)}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html>`;
}
