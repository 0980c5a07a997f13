import { once } from 'node:events';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { sql } from '../../shared/ports/database.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { exchange } from '../support/raw-socket.ts';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite } from '../support/suite.ts';
import { ACME, BETA, COOKIE, openTwoDoors, PUBLIC_URL, uuid } from '../support/two-doors.ts';

// Long because gateways of each runtime are started once for all that an attacker tries.
const doors = await openTwoDoors();
afterAll(() => doors.close());

const RULES = [
  { path: '/public', method: '*', feature: 'public_access' },
  { path: '/me', method: '*', feature: 'authenticated' },
  { path: '/tenants/:tenant/*rest', method: '*', feature: 'authenticated', tenant: '{tenant}' },
  { path: '/ws/:tenant/echo', method: 'GET', tenant: '{tenant}', token: ['header', 'protocol'] },
];

const [acmeAdmins, betaUsers] = [uuid(), uuid()];
beforeAll(async () => {
  for (const [tenant, group, role] of [
    [ACME, acmeAdmins, 'admin'],
    [BETA, betaUsers, 'member'],
  ] as const)
    await doors.execute(sql`insert into kanidm_tenant_groups (tenant_id, kanidm_group_uuid, kanidm_group_name, role)
      values (${tenant.id}, ${group}, ${`tenant_${tenant.slug}`}, ${role})`);
});

const FORGED = [
  ...['X-User-Tenant', 'x-user-tenant', 'X-USER-TENANT', 'X_User_Tenant', 'X.User.Tenant', 'X-User_Tenant'],
  ...[
    'X-User-Tenant-Slug',
    'X_User_Tenant_Slug',
    'X-User-Role',
    'X_USER_ROLE',
    'X-User-ID',
    'X-User-Anything',
  ],
  ...['X-Gateway-Assertion', 'X_Gateway_Assertion'],
];

const options = {
  on: SOCKETS,
  rules: RULES,
  variables: () => ({ ...doors.variables(), TRUSTED_PROXIES: '127.0.0.1' }),
};

gatewaySuite('an administrator of one tenant who tries to be of another', options, (stage) => {
  const send = (path: string, headers: Record<string, string>, method = 'GET') =>
    stage.gateway.fetch(path, { method, headers });
  const got = (field: string) => stage.upstream.requests.at(-1)?.values(field);
  const admin = (claims = {}) => doors.session({ role: 'admin', ...claims });

  /** An account of Kanidm in groups of both tenants. */
  async function ofBoth(): Promise<string> {
    const sub = uuid();
    doors.kanidm.userinfo.set(sub, { groups: [acmeAdmins, betaUsers] });
    return doors.kanidmBearer(sub);
  }

  it('by fields: in no spelling, on no rule, not as trailers', async () => {
    const authorization = `Bearer ${await admin()}`;
    for (const name of FORGED)
      for (const path of ['/public', '/me', '/tenants/acme/x']) {
        const answer = await send(path, { authorization, [name]: BETA.id }, 'POST');
        expect([name, path, answer.status]).toEqual([name, path, 200]);
        const request = stage.upstream.requests.at(-1);
        expect(JSON.stringify([...(request?.headers ?? [])])).not.toContain(BETA.id);
      }
    await exchange(
      stage.gateway.url,
      `POST /tenants/acme/x HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: ${authorization}\r\nTrailer: X-User-Tenant\r\n` +
        `Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\nX-User-Tenant: ${BETA.id}\r\nX-User-Role: super_admin\r\n\r\n`,
    );
    for (const request of stage.upstream.requests)
      expect(JSON.stringify(request)).not.toContain('super_admin');
  });

  it('by the path: whatever names two tenants, or one in pieces, is refused', async () => {
    const authorization = `Bearer ${await admin()}`;
    const paths = [
      ...['/tenants/acme/../beta/x', '/tenants/acme/%2e%2e/beta/x', '/tenants/acme%2f..%2fbeta/x'],
      ...['/tenants//beta/x', '/tenants/acme/..;/beta/x', '/tenants/acme\\..\\beta/x', '/tenants/./beta/x'],
      ...[
        '/tenants/acme%5c..%5cbeta/x',
        '/tenants/beta%00/x',
        '/tenants/beta;acme/x',
        '/tenants/beta%23acme/x',
      ],
      ...[
        '/tenants/beta%3facme/x',
        '/tenants/%62%65%74%61/x',
        '/TENANTS/beta/x',
        '/tenants/beta/',
        '/tenants/beta/x#/acme',
      ],
      ...[
        'http://evil.test/tenants/beta/x',
        '/tenants/b%C3%ABta/x',
        '/tenants/beta%0d%0aX-User-Tenant:acme/x',
      ],
    ];
    for (const path of paths) {
      const text = await exchange(
        stage.gateway.url,
        `GET ${path} HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
      );
      const status = Number(text.slice(9, 12));
      // workerd itself answers 500 to a target in absolute form.
      const refused = stage.runtime === 'workerd' && path.startsWith('http:') ? [500] : [400, 403, 404];
      expect([path, refused]).toEqual([path, expect.arrayContaining([status])]);
    }
    expect(stage.upstream.requests).toEqual([]);
  });

  it('by a slug that any server reads as the id of the other: it names nobody', async () => {
    const bare = BETA.id.replaceAll('-', '');
    const slugs = [
      ...[
        BETA.id.toUpperCase(),
        bare,
        `{${BETA.id}}`,
        bare.replace(/(.{4})(?=.)/g, '$1-'),
        `urn:uuid:${BETA.id}`,
      ],
      ...[`URN:UUID:${bare}`, `{${bare.replace(/(.{8})(?=.)/g, '$1-')}}`],
    ];
    for (const slug of slugs) {
      const evil = { id: uuid(), slug };
      await doors.execute(
        sql`insert into tenants (tenant_id, name, slug) values (${evil.id}, 'evil', ${evil.slug})`,
      );
      const user = await doors.user(evil);
      await doors.link(stage.issuer.url, `evil-${user}`, user);
      for (const authorization of [
        `Bearer ${await admin({ sub: user, tenant: evil.id, tenant_slug: slug })}`,
        await stage.bearer({ sub: `evil-${user}` }),
      ]) {
        const refused = await send(`/tenants/${encodeURIComponent(slug)}/x`, { authorization });
        await expectRefusal(refused, 'wrong_tenant');
        expect((await send(`/tenants/${evil.id}/x`, { authorization })).status).toBe(200);
        expect(got('x-user-tenant')).toEqual([evil.id]);
      }
      await doors.execute(sql`update tenants set slug = ${evil.id} where tenant_id = ${evil.id}`);
    }
  });

  it('by two credentials: the session of another beside an own token counts for nothing, nor do two cookies', async () => {
    const [own, other] = [await admin(), await admin({ tenant: BETA.id, tenant_slug: BETA.slug })];
    const cookie = `${COOKIE}=${other}`;
    const authorization = `Bearer ${own}`;
    await expectStopped(send('/tenants/beta/x', { authorization, cookie }), 'wrong_tenant', stage.upstream);
    for (const empty of ['Bearer', 'Bearer ', 'Basic eDp5'])
      expect((await send('/tenants/beta/x', { authorization: empty, cookie })).status).toBeGreaterThan(399);
    for (const fields of [
      `Cookie: ${cookie}; ${COOKIE}=${own}`,
      `Cookie: ${cookie}\r\nCookie: ${COOKIE}=${own}`,
    ])
      for (const tenant of ['acme', 'beta']) {
        const text = await exchange(
          stage.gateway.url,
          `GET /tenants/${tenant}/x HTTP/1.1\r\nHost: gateway.test\r\n${fields}\r\nConnection: close\r\n\r\n`,
        );
        // workerd joins the lines by a comma, which no token holds.
        expect(['400', '401']).toContain(text.slice(9, 12));
      }
    expect(stage.upstream.requests).toEqual([]);
  });

  it('in a race of requests to both, each is made in the tenant of its path, and asserted so', async () => {
    const authorization = await ofBoth();
    expect((await send('/me', { authorization })).status).toBe(200);
    stage.upstream.requests.length = 0;
    const roles = { acme: 'admin', beta: 'user' } as const;
    const asked = Array.from({ length: 200 }, (_, at) => (at % 3 === 0 ? 'beta' : 'acme'));
    const answers = await Promise.all(
      asked.map((slug, at) => send(`/tenants/${slug}/${at}`, { authorization })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    for (const request of stage.upstream.requests) {
      const slug = request.target.split('/')[2] === 'beta' ? 'beta' : 'acme';
      const { id } = slug === 'beta' ? BETA : ACME;
      expect(request.values('x-user-tenant')).toEqual([id]);
      expect(request.values('x-user-role')).toEqual([roles[slug]]);
      const claims = decodeJwt(request.values('x-gateway-assertion')[0] ?? '');
      expect(claims).toMatchObject({ tenant: id, tenant_slug: slug, role: roles[slug] });
    }
    expect(stage.upstream.requests).toHaveLength(200);
  });

  it('requests that come at once with one new token cost one call of userinfo', async () => {
    const authorization = await ofBoth();
    const count = () => doors.kanidm.requests.filter((path) => path === '/userinfo').length;
    const before = count();
    await Promise.all(Array.from({ length: 40 }, () => send('/tenants/beta/x', { authorization })));
    // On Workers no request may wait for another's: those that come before the first answer ask themselves.
    if (stage.runtime === 'node') expect(count()).toBe(before + 1);
    const after = count();
    for (let n = 0; n < 10; n++) expect((await send('/tenants/beta/x', { authorization })).status).toBe(200);
    expect(count()).toBe(after);
  });

  it('by a WebSocket: its upgrade is made in the tenant of its path, by token and by cookie', async () => {
    const dial = async (path: string, headers: Record<string, string>, protocols: string[] = []) => {
      const socket = new WebSocket(`${stage.gateway.url.replace('http', 'ws')}${path}`, protocols, {
        headers,
      });
      socket.on('error', () => undefined);
      const status = await Promise.race([
        once(socket, 'open').then(() => 101),
        once(socket, 'unexpected-response').then(([, answer]) => {
          (answer as { resume(): void }).resume();
          return (answer as { statusCode: number }).statusCode;
        }),
      ]);
      socket.terminate();
      return status;
    };
    const token = await admin();
    const forged = { 'x-user-tenant': BETA.id, 'x-user-role': 'super_admin' };
    for (const [headers, protocols] of [
      [{ authorization: `Bearer ${token}` }, []],
      [{ cookie: `${COOKIE}=${token}`, origin: PUBLIC_URL }, []],
      [{}, ['chat', `bearer.${token}`]],
    ] as const) {
      expect(await dial('/ws/beta/echo', { ...headers, ...forged }, [...protocols])).toBe(403);
      expect(stage.upstream.requests).toEqual([]);
      expect(await dial('/ws/acme/echo', { ...headers, ...forged }, [...protocols])).toBe(101);
      expect(got('x-user-tenant')).toEqual([ACME.id]);
      expect(got('x-user-role')).toEqual(['admin']);
      expect(got('cookie')).toEqual([]);
      stage.upstream.requests.length = 0;
    }
  });

  it('at /forward-auth: the tenant is that of the path asked about, and of nothing else', async () => {
    const token = await admin();
    const decide = (uri: string, fields: Record<string, string>) =>
      send('/forward-auth', {
        ...{ 'cf-connecting-ip': '127.0.0.1', 'x-forwarded-method': 'GET', 'x-forwarded-uri': uri },
        ...{ 'x-user-tenant': BETA.id, 'x-user-role': 'super_admin' },
        ...fields,
      });
    for (const fields of [{ authorization: `Bearer ${token}` }, { cookie: `${COOKIE}=${token}` }]) {
      for (const uri of ['/tenants/beta/x', '/tenants/%62eta/x?tenant=acme'])
        await expectRefusal(await decide(uri, fields), 'wrong_tenant');
      for (const uri of ['/tenants/acme/../beta/x', '//tenants/beta/x', '/tenants/acme%2fx'])
        expect((await decide(uri, fields)).status).toBeGreaterThan(399);
      const granted = await decide('/tenants/%61cme/x', fields);
      expect(granted.status).toBe(200);
      expect(granted.headers.get('x-user-tenant')).toBe(ACME.id);
      expect(granted.headers.get('x-user-role')).toBe('admin');
      expect(decodeJwt(granted.headers.get('x-gateway-assertion') ?? '')).toMatchObject({ tenant: ACME.id });
    }
    const open = await decide('/public', { authorization: `Bearer ${token}` });
    expect([open.status, open.headers.get('x-user-tenant')]).toEqual([200, null]);
  });
});
