import type { Child } from 'hono/jsx';
import type { BrandConfig } from '../../../shared/configuration/mail.ts';
import type { OAuthClientsConfig } from '../../../shared/configuration/oauth-clients.ts';
import type { OwnRoute } from '../../../shared/edge/frame.ts';
import type { List } from '../../../shared/figures/classes.ts';
import { LISTS } from '../../../shared/figures/classes.ts';
import { readPending } from '../../../shared/figures/pending.ts';
import { InvalidCursor, readFunnel, readTenants } from '../../../shared/figures/read.ts';
import { readWaves } from '../../../shared/figures/waves.ts';
import { Refusal } from '../../../shared/errors.ts';
import type { Platform } from '../../../shared/ports/platform.ts';
import { TenantNotNamed, viewerOf, type Viewer } from '../access.ts';
import { malformed, wordIn, type RouteDeps } from '../routes.ts';
import type { DoorsConfig } from '../slice.ts';
import { adviceOn } from './advice.ts';
import { assetsRoute } from './assets.ts';
import { htmlAnswer, localPath, refusalAnswer, SIGN_IN } from './answer.tsx';
import { Document, type Frame } from './layout.tsx';
import { OverviewPage } from './overview.tsx';
import { PeoplePage } from './people.tsx';
import { ofOneSnapshot, readOverview } from './reading.ts';
import { ChooserPage, SignInPage } from './sign-in.tsx';
import { TenantsPage } from './tenants.tsx';
import { WavePage } from './wave.tsx';

export interface PageDeps extends RouteDeps {
  readonly platform: Pick<Platform, 'asset'>;
}

type PageConfig = DoorsConfig &
  OAuthClientsConfig & {
    readonly brand: BrandConfig;
    readonly mailEventsSecret: string | null;
  };

const PAGE_ROWS = 100;

/** What one page is made of. */
interface Shown {
  readonly title: string;
  readonly frame: Pick<Frame, 'current' | 'asOf'> & { readonly of?: string | null };
  readonly body: Child;
}

interface Asked {
  readonly viewer: Viewer;
  readonly query: URLSearchParams;
  /** What follows the route's path. */
  readonly rest: string;
  /** `?tenant=…` for links; empty where all is shown. */
  readonly link: string;
}

/** Pages for people; figures for programs stand beside them, with the same access. */
export function pageRoutes(deps: PageDeps, config: PageConfig): OwnRoute[] {
  const { database, platform } = deps;
  const { product } = config.brand;
  const page = (
    path: string,
    show: (asked: Asked) => Promise<Shown>,
    tenantOf: (rest: string, query: URLSearchParams) => string | null = (_rest, query) => query.get('tenant'),
  ): OwnRoute => ({
    path,
    methods: ['GET'],
    quota: 'coarse',
    page: (shown, requestId, request) => refusalAnswer(shown, requestId, request, product),
    answer: (request, context) =>
      deps.asCaller(request, context, async (caller) => {
        const { pathname, searchParams: query } = new URL(request.url);
        const rest = pathname.slice(path.length);
        const signedIn = caller.issuer === SESSION;
        const viewer = await viewerOf(caller, tenantOf(rest, query), deps).catch(chooserFor);
        if (viewer instanceof TenantNotNamed) {
          const frame: Frame = { product, of: null, query: '', seesAll: false, signedIn };
          return htmlAnswer(
            <ChooserPage {...{ frame, slugs: viewer.slugs, page: chosen(pathname, query) }} />,
          );
        }
        const link =
          viewer.slug === null ? '' : `?${new URLSearchParams({ tenant: viewer.slug }).toString()}`;
        const { title, frame, body } = await show({ viewer, query, rest, link }).catch(refuse);
        const whole: Frame = { of: null, product, query: link, seesAll: viewer.seesAll, signedIn, ...frame };
        return htmlAnswer(
          <Document title={title} frame={whole}>
            {body}
          </Document>,
        );
      }),
  });

  const overview = async ({ viewer, link }: Asked): Promise<Shown> => {
    const { scope, slug, seesAll } = viewer;
    const seen = await readOverview(database, scope, config.mailEventsSecret !== null);
    const of = slug === null ? null : (seen.tenants.rows[0]?.tenant_name ?? slug);
    const advice = adviceOn({ ...seen, slug });
    return {
      title: of ?? 'Overview',
      frame: { current: slug === null || !seesAll ? 'overview' : 'tenants', asOf: seen.overall.as_of, of },
      body: <OverviewPage {...{ ...seen, of, seesAll, query: link, advice }} />,
    };
  };

  const tenants = async ({ viewer, query }: Asked): Promise<Shown> => {
    const cursor = query.get('cursor') ?? undefined;
    const found = await readTenants(database, viewer.scope, { limit: PAGE_ROWS, cursor });
    return {
      title: 'Tenants',
      frame: { current: 'tenants', asOf: found.as_of },
      body: <TenantsPage tenants={found} />,
    };
  };

  const wave = async ({ viewer, rest, link }: Asked): Promise<Shown> => {
    const { scope, seesAll } = viewer;
    const waves = await readWaves(database, scope);
    const named = waves.rows.find(({ name, wave_id }) => name === rest || wave_id === rest);
    if (named === undefined)
      throw new Refusal('not_found', 'no such wave', { detail: 'There is no such wave.' });
    const [again, funnel] = await ofOneSnapshot(
      () => Promise.all([readWaves(database, scope), readFunnel(database, scope, named.wave_id)]),
      (all) => all,
    );
    const shown = again.rows.find(({ wave_id }) => wave_id === named.wave_id) ?? named;
    return {
      title: `Wave ${shown.name}`,
      frame: { asOf: funnel.as_of },
      body: <WavePage wave={shown} funnel={funnel.rows} query={link} seesAll={seesAll} />,
    };
  };

  const people = async ({ viewer, query }: Asked): Promise<Shown> => {
    const { scope, slug, seesAll } = viewer;
    const list: List = wordIn(query, 'state', LISTS) ?? 'not_completed';
    const cursor = query.get('cursor') ?? undefined;
    const { as_of, rows, next } = await readPending(database, scope, { limit: PAGE_ROWS, list, cursor });
    return {
      title: 'People',
      frame: { current: 'people', asOf: as_of },
      body: <PeoplePage {...{ list, people: rows, next, tenant: slug, commands: seesAll }} />,
    };
  };

  const tenantNamed = (rest: string): string | null => (rest === '' ? null : rest);
  return [
    page('/analytics', overview),
    page('/analytics/people', people),
    page('/analytics/wave/', wave),
    page(
      '/analytics/tenant/',
      // Who sees one tenant alone gets its page for the list, too.
      (asked) => (asked.rest === '' && asked.viewer.seesAll ? tenants(asked) : overview(asked)),
      tenantNamed,
    ),
    signInRoute(config),
    assetsRoute(platform),
  ];
}

/** The issuer of sessions of our own, which are signed out of here. */
const SESSION = 'session';

function chooserFor(error: unknown): TenantNotNamed {
  if (error instanceof TenantNotNamed) return error;
  throw error;
}

/** The page that was asked for, of one tenant. */
function chosen(pathname: string, query: URLSearchParams): (slug: string) => string {
  const page = pathname === '/analytics/tenant/' ? '/analytics' : pathname;
  return (slug) => {
    const named = new URLSearchParams(query);
    named.delete('cursor');
    named.set('tenant', slug);
    return `${page}?${named.toString()}`;
  };
}

function refuse(error: unknown): never {
  if (error instanceof InvalidCursor) throw malformed('cursor: follow the link of the page before.');
  throw error;
}

function signInRoute({ brand, passwordDoor, clients }: PageConfig): OwnRoute {
  return {
    path: SIGN_IN,
    methods: ['GET'],
    quota: 'coarse',
    answer({ url }) {
      const returnTo = localPath(new URL(url).searchParams.get('return_to'));
      const frame: Frame = { product: brand.product, of: null, query: '', seesAll: false };
      const doors = { password: passwordDoor, providers: clients.map(({ provider }) => provider) };
      return htmlAnswer(<SignInPage {...{ frame, doors, returnTo }} />);
    },
  };
}
