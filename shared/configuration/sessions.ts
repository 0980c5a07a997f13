import * as z from 'zod';
import { canSign } from '../keys/signing-keys.ts';
import { meansProduction } from './server.ts';
import { broken, slice, when, type Fault, type Given, type Written } from './slice.ts';
import { list, parseUrl, url, whole } from './values.ts';

/** Sessions of our own, where sign-in is on. */
export interface SessionsConfig {
  /** The `iss` of session tokens: an origin without a slash at its end. */
  readonly publicUrl: string;
  /** Cookies with the prefix __Host- and Secure; false on loopback http alone. */
  readonly secure: boolean;
  /** A private JWK set; null: a key made for this run. */
  readonly keys: string | null;
  readonly audience: string;
  /** Lifetimes in seconds. */
  readonly accessSeconds: number;
  readonly refreshSeconds: number;
}

export interface MaybeSessions {
  readonly sessions: SessionsConfig | null;
}

/** Names of this machine, as URLs have them. */
export const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Our own origin: https, or http on loopback. */
export const publicUrl = url(['https:', 'http:'])
  .refine((text) => {
    const { pathname = '/', search = '', hash = '', username = '', password = '' } = parseUrl(text) ?? {};
    return pathname === '/' && search === '' && hash === '' && username === '' && password === '';
  }, 'write the own origin alone, without path, query or credentials, as in https://app.example.org')
  .refine((text) => {
    const { protocol = 'https:', hostname = '' } = parseUrl(text) ?? {};
    return protocol === 'https:' || LOOPBACK.test(hostname);
  }, 'write https: http is taken on loopback alone')
  .transform((text) => parseUrl(text)?.origin ?? text);

/** Whether FUNCTIONS names a function. */
export function isOn(written: Written, name: string): boolean {
  return list.default([]).parse(written['FUNCTIONS']).includes(name);
}

const WITHOUT: MaybeSessions = { sessions: null };

const ON = slice({
  variables: {
    PUBLIC_URL: publicUrl,
    SESSION_KEYS: z
      .string()
      .refine(
        canSign,
        'write a private JWK set of P-256 keys with kid (`npx sallyport keys generate` makes one)',
      )
      .optional(),
    SESSION_AUDIENCE: z.string().optional(),
    // Longer than an hour a withdrawn role or tenant would go on counting.
    SESSION_TTL: whole(1, 3_600, 'seconds').default(900),
    REFRESH_TTL: whole(1, 31_536_000, 'seconds').default(2_592_000),
  },
  examples: { PUBLIC_URL: 'https://app.example.org', SESSION_KEYS: '{"keys":[{"kty":"EC",…}]}' },
  faults: keyFaults,
  read: (v): MaybeSessions => ({
    sessions: {
      publicUrl: v.PUBLIC_URL,
      secure: v.PUBLIC_URL.startsWith('https:'),
      keys: v.SESSION_KEYS ?? null,
      audience: v.SESSION_AUDIENCE ?? v.PUBLIC_URL,
      accessSeconds: v.SESSION_TTL,
      refreshSeconds: v.REFRESH_TTL,
    },
  }),
  warnings: ({ sessions }, { written }) =>
    broken(
      [
        sessions !== null && sessions.keys === null,
        'SESSION_KEYS',
        'is absent: a key is made for this run only, and with it every session ends',
      ],
      [
        sessions?.keys === written['ASSERTION_KEYS'],
        'SESSION_KEYS',
        'is the same as ASSERTION_KEYS: whoever takes one of them would sign for both, so make keys of their own',
      ],
    ),
});

/** Read where sign-in is on, and where links are mailed, which name PUBLIC_URL and are derived from SESSION_KEYS. */
export const SESSIONS = when(({ written }) => isOn(written, 'auth') || isOn(written, 'invites'), ON, WITHOUT);

function keyFaults({ written }: Given): Fault[] {
  const lacks = written['SESSION_KEYS'] === undefined;
  return broken(
    [lacks && meansProduction(written), 'SESSION_KEYS', 'is missing: run `npx sallyport keys generate`'],
    [
      lacks && !meansProduction(written) && (written['WORKERS'] ?? '1') !== '1',
      'SESSION_KEYS',
      'is missing: processes of WORKERS have to share it, run `npx sallyport keys generate`',
    ],
  );
}
