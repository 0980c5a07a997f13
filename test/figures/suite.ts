import { beforeAll, expect } from 'vitest';
import * as z from 'zod';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { makeTenant, makeUser, type MadeUser } from '../auth/people.ts';
import { authSuite, bearer, signIn, type AuthStage } from '../auth/suite.ts';

export const SECRET = 'secret-of-mail-events-and-tickets';

const Page = z.object({
  as_of: z.string().nullable(),
  rows: z.array(z.record(z.string(), z.unknown())),
  next: z.string().nullable(),
});
export const Values = z.object({ as_of: z.string().nullable(), values: z.record(z.string(), z.unknown()) });

export interface FiguresStage extends AuthStage {
  /** Tokens: of a viewer of the feature; of an admin and a user of the tenant `own`. */
  readonly viewer: string;
  readonly admin: string;
  readonly member: string;
  readonly own: { readonly tenantId: string; readonly slug: string };
  token(user: MadeUser): Promise<string>;
  /** A route below /analytics/, as the viewer unless told. */
  figures(path: string, who?: string): Promise<Response>;
  page(path: string, who?: string): Promise<z.output<typeof Page>>;
  values(path: string, who?: string): Promise<Readonly<Record<string, unknown>>>;
  /** All rows, over the pages of a route. */
  allPages(path: string): Promise<Record<string, unknown>[]>;
}

/** The gateway with sign-in and figures, on each runtime. */
export function figuresSuite(name: string, define: (stage: FiguresStage) => void): void {
  const variables = () => ({ FUNCTIONS: 'auth,analytics', MAIL_EVENTS_SECRET: SECRET });
  authSuite(name, { variables }, (auth) => {
    const stage = auth as { -readonly [Key in keyof FiguresStage]: FiguresStage[Key] };
    beforeAll(async () => {
      stage.token = async (user) => (await signIn(stage, user)).access_token;
      stage.figures = (path, who = stage.viewer) =>
        stage.gateway.fetch(`/analytics/${path}`, { headers: bearer(who) });
      stage.page = async (path, who) => Page.parse(await (await stage.figures(path, who)).json());
      stage.values = async (path, who) => Values.parse(await (await stage.figures(path, who)).json()).values;
      stage.allPages = async (path) => {
        const all: Record<string, unknown>[] = [];
        for (let cursor = ''; ;) {
          const { rows, next } = await stage.page(`${path}${cursor}`);
          all.push(...rows);
          if (next === null) return all;
          cursor = `&cursor=${next}`;
        }
      };
      const seeing = await makeUser(stage.database);
      await makeViewer(stage, `user:${seeing.userId}`);
      stage.own = await makeTenant(stage.database);
      stage.viewer = await stage.token(seeing);
      stage.admin = await stage.token(await makeUser(stage.database, { tenant: stage.own, role: 'admin' }));
      stage.member = await stage.token(await makeUser(stage.database, { tenant: stage.own }));
      await refreshFigures(stage.database);
    });
    define(stage);
  });
}

export async function makeViewer({ variables, openfga }: AuthStage, user: string): Promise<void> {
  const tuple = { user, relation: 'viewer', object: 'feature:migration_figures' };
  const written = await fetch(`${openfga.url}/stores/${variables['OPENFGA_STORE_ID'] ?? ''}/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ writes: { tuple_keys: [tuple] } }),
  });
  expect(written.status).toBe(200);
}
