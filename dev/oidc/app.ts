import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type Provider from 'oidc-provider';
import { z } from 'zod';
import { SIGNING_ALGORITHMS } from '../keys.ts';
import type { OidcDirectory } from './directory.ts';
import { introspect } from './introspection.ts';
import { mint } from './mint.ts';
import { homePage, passwordPage, problemPage, signInPage, tokenPage } from './pages.ts';
import { SignIn } from './sign-in.ts';
import { findUser, type IsUser } from './users.ts';

const STATE_COOKIE = 'demo_state';

/** What the terminal may ask for: /demo/token?user=alice&ttl=60&opaque=1&alg=ES256&audience=other */
const MintQuery = z.object({
  user: z.string(),
  ttl: z.coerce.number().int().min(1).max(86_400).optional(),
  opaque: z.enum(['0', '1']).optional(),
  alg: z.enum(SIGNING_ALGORITHMS).optional(),
  audience: z.string().min(1).optional(),
});

interface Bindings {
  Bindings: HttpBindings;
}

/** The demo's own pages; all other paths are the provider's. */
export function demoApp(
  provider: Provider,
  isUser: IsUser,
  gatewaySecret: string,
  people: PeopleOfClient,
): Hono<Bindings> {
  const app = new Hono<Bindings>();
  const signIn = new SignIn(provider.issuer);
  const host = new URL(provider.issuer).host;

  app.use(async (c, next) => {
    // A page elsewhere that rebinds its name to loopback must not be able to read tokens here.
    if (c.req.header('host') !== host)
      return c.html(problemPage(`Open this page as ${provider.issuer}`), 421);
    c.header('Cache-Control', 'no-store');
    c.header(
      'Content-Security-Policy',
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    );
    await next();
    return undefined;
  });
  app.get('/', (c) => c.html(homePage(provider.issuer)));
  app.get('/sign-in', (c) => {
    const { state, location } = signIn.start();
    setCookie(c, STATE_COOKIE, state, { httpOnly: true, sameSite: 'Lax', path: '/callback', maxAge: 600 });
    return c.redirect(location, 303);
  });
  app.get('/callback', (c) => showToken(c, signIn));
  app.get('/interaction/:uid', async (c) => {
    const { uid, params } = await provider.interactionDetails(c.env.incoming, c.env.outgoing);
    if (params['client_id'] !== people.clientId) return c.html(signInPage(uid));
    const { login_hint: hint } = params;
    return c.html(passwordPage(uid, typeof hint === 'string' ? hint : ''));
  });
  app.post('/interaction/:uid', (c) => choose(c, provider, people));
  app.post('/oauth/v2/introspect', (c) => introspect(c, provider, gatewaySecret));
  app.post('/demo/token', (c) => mintForTerminal(c, provider, isUser));
  app.onError((error, c) => c.html(problemPage(error.message), 400));
  return app;
}

async function showToken(c: Context<Bindings>, signIn: SignIn) {
  const { state, code } = c.req.query();
  if (state === undefined || code === undefined || getCookie(c, STATE_COOKIE) !== state) {
    return c.html(problemPage('This sign-in was not started here, or it took too long.'), 400);
  }
  const token = await signIn.finish(state, code);
  if (token === undefined) return c.html(problemPage('The sign-in could not be completed.'), 400);
  return c.html(tokenPage(token));
}

/** People who sign in by name and password, and where. */
interface PeopleOfClient {
  readonly directory: OidcDirectory | undefined;
  readonly clientId: string | undefined;
}

/** Ends the sign-in page: of one of the demo's people, or at the web client of a person of the directory. */
async function choose(c: Context<Bindings>, provider: Provider, people: PeopleOfClient) {
  const { uid, params } = await provider.interactionDetails(c.env.incoming, c.env.outgoing);
  const form = await c.req.formData();
  const text = (name: string): string => {
    const value = form.get(name);
    return typeof value === 'string' ? value : '';
  };
  const atClient = params['client_id'] === people.clientId;
  const accountId = atClient
    ? await people.directory?.signIn(text('name'), text('password'))
    : findUser(text('user'))?.id;
  if (accountId === undefined && atClient)
    return c.html(passwordPage(uid, text('name'), 'Name or password is wrong.'), 400);
  if (accountId === undefined) return c.html(problemPage('There is no such person here.'), 400);
  const login = { login: { accountId, remember: false } };
  return c.redirect(await provider.interactionResult(c.env.incoming, c.env.outgoing, login), 303);
}

async function mintForTerminal(c: Context<Bindings>, provider: Provider, isUser: IsUser) {
  const query = MintQuery.safeParse(c.req.query());
  if (!query.success) return c.text(`${z.prettifyError(query.error)}\n`, 400);
  const { user, ttl, opaque, alg, audience } = query.data;
  if (!isUser(user)) return c.text('There is no such user; try alice, bob or carol.\n', 404);
  const token = await mint(provider, user, {
    opaque: opaque === '1',
    ...(ttl !== undefined && { ttlSeconds: ttl }),
    ...(alg !== undefined && { alg }),
    ...(audience !== undefined && { audience }),
  });
  return c.text(token);
}
