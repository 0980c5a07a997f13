import { randomBytes } from 'node:crypto';
import type { Context, Hono } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { KanidmRefused, refusedBare } from './faults.ts';
import type { Parts } from './index.ts';
import type { Client } from './oauth2.ts';
import { consentPage, namePage, passwordPage, resetPage, wordsPage } from './pages.ts';
import { bearer, type Session } from './sessions.ts';

/** An authorization request that is valid. */
interface Judged {
  readonly client: Client;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly challenge: string;
  readonly state: string | undefined;
  readonly nonce: string | undefined;
}

function judge({ oauth2 }: Parts, query: Readonly<Record<string, string>>): Judged {
  const client = oauth2.client(query['client_id'] ?? '');
  const { redirect_uri: redirectUri = '', scope = '', code_challenge: challenge = '' } = query;
  const known = client?.redirectUris.includes(redirectUri) === true;
  const pkce = challenge !== '' && query['code_challenge_method'] === 'S256';
  if (client === undefined || !known || !pkce || query['response_type'] !== 'code') throw refusedBare(400);
  if (query['prompt'] === 'none') throw refusedBare(400);
  const scopes = scope.split(' ').filter((each) => each !== '');
  return { client, redirectUri, scopes, challenge, state: query['state'], nonce: query['nonce'] };
}

/** The person's own grant of scopes; throws where they may not have one of them. */
function allowed({ oauth2, store }: Parts, { client, scopes }: Judged, { person: id }: Session): void {
  const person = store.find(id);
  const has = person === undefined ? null : oauth2.scopesFor(client, person);
  if (has === null || scopes.some((scope) => !has.includes(scope))) throw refusedBare(403);
}

/** Sign-in pages, consent and reset links; and `/oauth2/authorise`, which does the same without pages. */
export function uiRoutes(app: Hono, parts: Parts): void {
  const { store, sessions, oauth2, credentials } = parts;
  const asked = new Map<string, Judged>();
  const consents = new Map<string, { readonly judged: Judged; readonly session: Session }>();

  const location = (judged: Judged, session: Session): string => {
    const { client, redirectUri, scopes, challenge, state, nonce } = judged;
    oauth2.consent(client, session.person, scopes);
    const to = new URL(redirectUri);
    to.searchParams.set(
      'code',
      oauth2.code({ client, redirectUri, challenge, parent: session, scopes, nonce }),
    );
    if (state !== undefined) to.searchParams.set('state', state);
    return to.href;
  };
  const consentFor = (judged: Judged, session: Session): string => {
    const token = randomBytes(32).toString('base64url');
    consents.set(token, { judged, session });
    return token;
  };
  const signedIn = (c: Context): Session | undefined => {
    try {
      return sessions.of(getCookie(c, 'bearer') ?? '');
    } catch {
      return undefined;
    }
  };
  const proceed = (c: Context, judged: Judged, session: Session) => {
    allowed(parts, judged, session);
    if (oauth2.consented(judged.client, session.person, judged.scopes))
      return c.redirect(location(judged, session), 303);
    const { client, scopes } = judged;
    return c.html(consentPage(client.displayname ?? client.name, scopes, consentFor(judged, session)));
  };
  app.get('/ui/oauth2', (c) => {
    const judged = judge(parts, c.req.query());
    const session = signedIn(c);
    if (session !== undefined) return proceed(c, judged, session);
    const id = randomBytes(16).toString('base64url');
    asked.set(id, judged);
    setCookie(c, 'o2-authreq', id, { httpOnly: true, sameSite: 'Strict', path: '/', maxAge: 900 });
    return c.html(namePage(c.req.query('login_hint') ?? ''));
  });
  app.post('/ui/login/begin', async (c) => {
    const name = await field(c, 'username');
    const person = store.find(name);
    if (person?.kind !== 'person') return c.html(namePage(name, 'No such account.'));
    const refusal = sessions.refusal(person);
    return c.html(refusal === undefined ? passwordPage(name) : namePage(name, refusal));
  });
  app.post('/ui/login/pw', async (c) => {
    const form = await c.req.formData();
    const name = textIn(form, 'username');
    const person = store.find(name);
    if (person?.kind !== 'person') return c.html(namePage(name, 'No such account.'));
    const result = sessions.signIn(person, textIn(form, 'password'));
    if (result.outcome === 'denied') return c.html(passwordPage(name, result.reason));
    setCookie(c, 'bearer', result.token, { httpOnly: true, sameSite: 'Lax', path: '/' });
    return c.redirect('/ui/oauth2/resume', 303);
  });
  app.get('/ui/oauth2/resume', (c) => {
    const judged = asked.get(getCookie(c, 'o2-authreq') ?? '');
    const session = signedIn(c);
    deleteCookie(c, 'o2-authreq', { path: '/' });
    if (judged === undefined || session === undefined)
      return c.html(wordsPage('Signed in', 'No sign-in to an application is under way.'));
    return proceed(c, judged, session);
  });
  app.post('/ui/oauth2/consent', async (c) => {
    const given = consents.get(await field(c, 'consent_token'));
    if (given === undefined) throw refusedBare(400);
    return c.redirect(location(given.judged, given.session), 303);
  });
  app.get('/oauth2/authorise', (c) => {
    const judged = judge(parts, c.req.query());
    const session = bySession(c.req.header('authorization'));
    allowed(parts, judged, session);
    if (oauth2.consented(judged.client, session.person, judged.scopes)) {
      c.header('location', location(judged, session));
      return c.json('Permitted', 302);
    }
    const scopes = [...judged.scopes].sort();
    const pii = scopes.includes('openid') && scopes.includes('email') ? ['email', 'email_verified'] : [];
    const { name, displayname: client_name = name } = judged.client;
    const consent_token = consentFor(judged, session);
    return c.json({ ConsentRequested: { client_name, scopes, pii_scopes: pii, consent_token } });
  });
  app.get('/oauth2/authorise/permit', (c) => {
    const given = consents.get(c.req.query('token') ?? '');
    if (given === undefined) throw refusedBare(400);
    return c.body('', 302, { location: location(given.judged, given.session) });
  });
  const bySession = (authorization: string | undefined): Session => {
    try {
      return sessions.of(bearer(authorization));
    } catch {
      throw refusedBare(401);
    }
  };
  resetRoutes(app, credentials);
}

async function field(c: Context, name: string): Promise<string> {
  return textIn(await c.req.formData(), name);
}

function textIn(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value : '';
}

const COOKIE = 'cu-session-token';

/** Each visit of a link opens another session, so that only the last one saves. */
function resetRoutes(app: Hono, credentials: Parts['credentials']): void {
  app.get('/ui/reset', (c) => {
    try {
      const session = credentials.exchange(c.req.query('token') ?? '');
      setCookie(c, COOKIE, session, { httpOnly: true, sameSite: 'Strict', path: '/' });
      return c.html(resetPage(String(credentials.status(session)['spn'])));
    } catch (error) {
      if (!(error instanceof KanidmRefused)) throw error;
      return c.html(wordsPage('Updating Credentials', 'This link is used, expired or unknown.'));
    }
  });
  app.post('/ui/reset/add_password', async (c) => {
    const form = await c.req.formData();
    const session = getCookie(c, COOKIE);
    if (session === undefined) return c.body('', 403);
    const text = textIn(form, 'new_password');
    if (text !== form.get('new_password_check')) return c.html(wordsPage('Not saved', 'They differ.'));
    try {
      credentials.setPassword(session, text);
      if (form.get('save') !== null) credentials.commit(session);
    } catch (error) {
      if (!(error instanceof KanidmRefused)) throw error;
      return c.html(wordsPage('Not saved', JSON.stringify(error.body)), error.status === 500 ? 500 : 200);
    }
    return c.html(wordsPage('Saved', 'Your credentials are saved.'));
  });
  app.post('/ui/api/cu_commit', (c) => {
    const session = getCookie(c, COOKIE);
    if (session === undefined) return c.body('', 403);
    credentials.commit(session);
    return c.body('');
  });
}
