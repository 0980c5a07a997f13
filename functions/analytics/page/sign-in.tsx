import type { Shown } from '../../../shared/edge/problem.ts';
import { Document, type Frame } from './layout.tsx';

export interface Doors {
  /** Whether people may sign in by password here. */
  readonly password: boolean;
  /** Providers to sign in by, as they are called. */
  readonly providers: readonly string[];
}

const SHOWN: Readonly<Record<string, string>> = { kanidm: 'Kanidm', zitadel: 'Zitadel' };

interface SignInProps {
  readonly frame: Frame;
  readonly doors: Doors;
  /** A local path. */
  readonly returnTo: string;
}

/** Both doors. Without its script the password goes by the form, whose answer leads back. */
export function SignInPage({ frame, doors, returnTo }: SignInProps) {
  const { password, providers } = doors;
  return (
    <Document title="Sign in" frame={frame}>
      <div class="narrow">
        <h1>Sign in</h1>
        <p>The figures are for who may see them.</p>
        {providers.map((provider) => {
          const query = new URLSearchParams({ provider, return_to: returnTo });
          return (
            <p>
              <a class="button" href={`/api/v1/auth/oauth/authorize?${query.toString()}`}>
                Sign in with {SHOWN[provider] ?? provider}
              </a>
            </p>
          );
        })}
        {password ? <PasswordForm returnTo={returnTo} /> : null}
        {!password && providers.length === 0 ? (
          <p>
            Sign-in is off here: send the token of an issuer as <code>Authorization: Bearer</code>.
          </p>
        ) : null}
      </div>
    </Document>
  );
}

function PasswordForm({ returnTo }: { returnTo: string }) {
  return (
    <form id="sign-in" method="post" action="/api/v1/auth/login">
      <h2>By password</h2>
      <input type="hidden" name="cookie" value="true" />
      <input type="hidden" name="return_to" value={returnTo} />
      <label for="email">E-mail</label>
      <input id="email" name="email" type="email" autocomplete="username" required />
      <label for="password">Password</label>
      <input id="password" name="password" type="password" autocomplete="current-password" required />
      <label for="tenant">
        Tenant <span>where the address is in several</span>
      </label>
      <input id="tenant" name="tenant" autocomplete="organization" />
      <p id="refused" role="alert"></p>
      <button>Sign in</button>
    </form>
  );
}

interface ChooserProps {
  readonly frame: Frame;
  readonly slugs: readonly string[];
  /** The page that was asked for, of a tenant. */
  readonly page: (slug: string) => string;
}

/** For an admin of several tenants, who sees one at a time. */
export function ChooserPage({ frame, slugs, page }: ChooserProps) {
  return (
    <Document title="Tenants" frame={frame}>
      <div class="narrow">
        <h1>Which tenant?</h1>
        <p>You are admin of several. Figures are shown of one at a time.</p>
        <ul>
          {slugs.map((slug) => (
            <li>
              <a href={page(slug)}>{slug}</a>
            </li>
          ))}
        </ul>
      </div>
    </Document>
  );
}

interface RefusedProps {
  readonly frame: Frame;
  readonly shown: Shown;
  readonly requestId: string;
}

/** Why a page is not shown. */
export function RefusedPage({ frame, shown, requestId }: RefusedProps) {
  return (
    <Document title={shown.title} frame={frame}>
      <div class="narrow">
        <h1>{shown.title}</h1>
        <p>{shown.detail}</p>
        {shown.status === 403 ? (
          <>
            <p>
              Viewers of <code>feature:migration_figures</code> see everything, admins of a tenant that
              tenant.
            </p>
            <p>
              <a href="/analytics/sign-in">Sign in as somebody else</a>
            </p>
          </>
        ) : (
          <p>
            <a href="/analytics">Overview</a>
          </p>
        )}
        <p class="note">
          {shown.code}, request {requestId}
        </p>
      </div>
    </Document>
  );
}
