import type { Child, PropsWithChildren } from 'hono/jsx';
import { assetPath } from './assets.ts';
import { minute } from './format.ts';

export interface Frame {
  /** Named in the title and above the page. */
  readonly product: string;
  /** Of what the page is: a tenant's name; null: of everything. */
  readonly of: string | null;
  /** When the figures were true; null: they have not been counted; undefined: the page has none. */
  readonly asOf?: string | null;
  /** The page that is open, of those in the navigation. */
  readonly current?: 'overview' | 'tenants' | 'people';
  /** `?tenant=…` for links; empty where all is shown. */
  readonly query: string;
  /** An admin of one tenant sees no others. */
  readonly seesAll: boolean;
  /** By a session of ours, which can be signed out of. */
  readonly signedIn?: boolean;
}

/** A whole document. Works without its script, which only renews it and shows what is pointed at. */
export function Document({ title, frame, children }: PropsWithChildren<{ title: string; frame: Frame }>) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{`${title} – ${frame.product}`}</title>
        <link rel="icon" href={assetPath('icon.svg')} />
        <link rel="stylesheet" href={assetPath('dashboard.css')} />
        <script src={assetPath('dashboard.js')} defer></script>
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the figures
        </a>
        <header>
          <p class="product">
            {frame.product} <span>move to the new sign-in</span>
          </p>
          {frame.current === undefined && frame.asOf === undefined ? null : <Navigation frame={frame} />}
          {frame.asOf === undefined ? null : <AsOf asOf={frame.asOf} />}
          {frame.signedIn === true ? <SignOut /> : null}
        </header>
        <main id="main" tabindex={-1}>
          {children}
        </main>
        <p id="said" class="unseen" role="status" aria-live="polite"></p>
      </body>
    </html>
  );
}

function Navigation({ frame: { current, query, seesAll } }: { frame: Frame }) {
  const link = (name: Frame['current'], href: string, text: string) => (
    <li>
      <a href={href} {...(current === name && { 'aria-current': 'page' })}>
        {text}
      </a>
    </li>
  );
  return (
    <nav aria-label="Figures">
      <ul>
        {link('overview', `/analytics${seesAll ? '' : query}`, 'Overview')}
        {seesAll ? link('tenants', '/analytics/tenant/', 'Tenants') : null}
        {link('people', `/analytics/people${query}`, 'People')}
      </ul>
    </nav>
  );
}

/** By POST, which pages of other sites cannot send with the cookie. */
function SignOut() {
  return (
    <form class="sign-out" method="post" action="/api/v1/auth/logout">
      <input type="hidden" name="return_to" value="/analytics/sign-in" />
      <button>Sign out</button>
    </form>
  );
}

function AsOf({ asOf }: { asOf: string | null }) {
  return (
    <p class="as-of" id="as-of" data-live>
      {asOf === null ? (
        'Not counted yet'
      ) : (
        <>
          As of <time datetime={asOf}>{minute(asOf)}</time>
        </>
      )}
    </p>
  );
}

/** A part of a page, renewed by itself. */
export function Section({
  id,
  title,
  csv,
  class: kind,
  children,
}: PropsWithChildren<{ id: string; title: string; csv?: string; class?: string }>) {
  return (
    <section id={id} data-live aria-labelledby={`${id}-title`} {...(kind !== undefined && { class: kind })}>
      <div class="head">
        <h2 id={`${id}-title`}>{title}</h2>
        {csv === undefined ? null : (
          <a class="csv" href={csv} download aria-label={`${title} as CSV`}>
            CSV
          </a>
        )}
      </div>
      {children}
    </section>
  );
}

export interface Column {
  readonly title: Child;
  /** Of numbers: aligned at their end. */
  readonly number?: boolean;
  /** Left out on a sheet of paper and on a phone. */
  readonly minor?: boolean;
  /** A bar, which takes the room that is left. */
  readonly wide?: boolean;
}

/** A command line, which breaks between its words alone. */
export function Command({ line }: { line: string }) {
  return <code>{line.split(' ').flatMap((word, at) => [at === 0 ? '' : ' ', <span>{word}</span>])}</code>;
}

/** A table that scrolls by itself where it is too wide. The first cell of a row is its header. */
export function Table({
  caption,
  columns,
  rows,
  stacked = false,
}: {
  caption: string;
  /** On a phone the cells of a row stand below each other. */
  stacked?: boolean;
  columns: readonly Column[];
  rows: readonly (readonly Child[])[];
}) {
  const kind = ({ number = false, minor = false, wide = false }: Column) =>
    [number && 'n', minor && 'minor', wide && 'wide'].filter(Boolean).join(' ') || undefined;
  return (
    <div class="scroll">
      <table {...(stacked && { role: 'table', class: 'stacked' })}>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th scope="col" class={kind(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells) => (
            <tr>
              {cells.map((cell, at) =>
                at === 0 ? (
                  <th scope="row">{cell}</th>
                ) : (
                  <td class={kind(columns[at] ?? { title: '' })}>{cell}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
