import { describe, expect, it } from 'vitest';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { METRICS_TOKEN } from '../support/world.ts';

async function as(stage: Stage, sub: string, target: string, method = 'GET'): Promise<Response> {
  return stage.gateway.fetch(target, { method, headers: { authorization: await stage.bearer({ sub }) } });
}

const checks = (stage: Stage): number =>
  stage.openfga.requests.filter((path) => path.endsWith('/check')).length;

gatewaySuite('a relation decides who passes', {}, (stage) => {
  it('whoever holds it passes', async () => {
    expect((await as(stage, 'bob', '/admin/x')).status).toBe(200);
  });

  it('whoever does not is forbidden, and is not told what was missing', async () => {
    const problem = await expectStopped(as(stage, 'alice', '/admin/x'), 'forbidden', stage.upstream);
    expect(JSON.stringify(problem)).not.toContain('admin_panel');
  });

  it('a feature is accepted with and without its type', async () => {
    expect((await as(stage, 'alice', '/reports')).status).toBe(200);
  });

  it('an object is named by the path', async () => {
    expect((await as(stage, 'bob', '/documents/1')).status).toBe(200);
    await expectStopped(as(stage, 'bob', '/documents/2'), 'forbidden', stage.upstream);
  });

  it('an allowed view says nothing about delete: that is a check of its own', async () => {
    expect((await as(stage, 'bob', '/documents/1')).status).toBe(200);
    const before = checks(stage);
    await expectStopped(as(stage, 'bob', '/documents/1', 'DELETE'), 'forbidden', stage.upstream);
    expect(checks(stage) - before).toBe(1);
  });

  it('an object that would break the question out of its place is refused', async () => {
    const answer = await as(stage, 'bob', '/documents/1%20viewer');
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(stage.upstream.requests).toEqual([]);
  });

  it('no rule, no way: the interfaces behind the gateway are not open', async () => {
    for (const target of ['/stores', '/stores/x/check', '/management/v1/users', '/admin/v1/users']) {
      const code = target.startsWith('/admin/') ? 'forbidden' : 'no_rule';
      await expectStopped(as(stage, 'alice', target), code, stage.upstream);
    }
  });

  describe('shadow', () => {
    it('lets through what it would refuse, and logs what that was', async () => {
      const answer = await as(stage, 'carol', '/shadow');
      expect(answer.status).toBe(200);
      expect(stage.upstream.requests).toHaveLength(1);
      // The log is written in batches.
      await expect.poll(() => stage.gateway.output()).toContain('"shadow":"forbidden: ');
    });

    it('does not let anybody through without a token', async () => {
      await expectStopped(stage.gateway.fetch('/shadow'), 'missing_token', stage.upstream);
    });
  });
});

gatewaySuite('while OpenFGA gives no verdict', {}, (stage) => {
  it.each(['away', 'failing', 'dripping', 'moved', 'other'] as const)(
    '%s: 503, never 403 nor a pass, and it is asked again',
    async (state) => {
      stage.openfga.state = state;
      const target = `/admin/${state}`;
      await expectStopped(as(stage, 'bob', target), 'authorization_unavailable', stage.upstream);
      await expectStopped(as(stage, 'dora', target), 'authorization_unavailable', stage.upstream);
      expect(stage.openfga.elsewhere()).toBe(0);
    },
  );

  it('errors are not remembered: once it is back, the verdict is the true one', async () => {
    stage.openfga.state = 'up';
    expect((await as(stage, 'bob', '/admin/x')).status).toBe(200);
    await expectRefusal(await as(stage, 'dora', '/admin/x'), 'forbidden');
  });

  it('what was allowed a moment ago stays allowed', async () => {
    stage.openfga.state = 'away';
    expect((await as(stage, 'bob', '/admin/x')).status).toBe(200);
    stage.openfga.state = 'up';
  });

  it('a public path does not need it', async () => {
    stage.openfga.state = 'away';
    expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
    stage.openfga.state = 'up';
  });
});

gatewaySuite('with DECISION_TTL=0', { variables: () => ({ DECISION_TTL: '0' }) }, (stage) => {
  it('every request is a question', async () => {
    await as(stage, 'bob', '/admin/x');
    const before = checks(stage);
    await as(stage, 'bob', '/admin/x');
    await as(stage, 'bob', '/admin/x');
    expect(checks(stage) - before).toBe(2);
  });
});

const UNASKABLE = [
  { path: '/relation/:id', method: 'GET', object: 'document:{id}', action: 'veiw' },
  { path: '/type/:id', method: 'GET', object: 'docment:{id}', action: 'view' },
  { path: '/shadow', method: 'GET', object: 'docment:1', mode: 'shadow' },
  { path: '/admin/*rest', method: '*', feature: 'admin_panel', action: 'manager' },
];

gatewaySuite('a question that OpenFGA refuses', { rules: UNASKABLE }, (stage) => {
  it.each([
    ['/relation/1', '"type":"document"', '"relation":"veiw"'],
    ['/type/1', '"type":"docment"', '"relation":"view"'],
  ])(
    'is the fault of its operator: %s, logged as an error with type and relation',
    async (target, ...said) => {
      await expectStopped(as(stage, 'bob', target), 'authorization_misconfigured', stage.upstream);
      await expect.poll(() => lineWith(stage, 'OpenFGA refuses what a rule asks', ...said)).toBeDefined();
    },
  );

  it('is asked again each time, and nobody else has to do with it', async () => {
    const before = checks(stage);
    await expectStopped(as(stage, 'bob', '/type/2'), 'authorization_misconfigured', stage.upstream);
    await expectStopped(as(stage, 'bob', '/type/2'), 'authorization_misconfigured', stage.upstream);
    expect(checks(stage) - before).toBe(2);
    expect((await as(stage, 'bob', '/admin/x')).status).toBe(200);
  });

  it('is seen in /ready before anybody asks, and keeps no instance from being ready', async () => {
    const answer = await stage.gateway.fetch('/ready', {
      headers: { authorization: `Bearer ${METRICS_TOKEN}` },
    });
    expect(answer.status).toBe(200);
    const { dependencies } = (await answer.json()) as { dependencies: Record<string, { rules?: string[] }> };
    expect(dependencies['authorization_model']).toMatchObject({ needed: false, up: false });
    expect(dependencies['authorization_model']?.rules).toEqual([
      expect.stringMatching(/^\/0 \(GET \/relation\/:id\): .*did you mean "view"/) as string,
      expect.stringMatching(/^\/1 \(GET \/type\/:id\): .*did you mean "document"/) as string,
      expect.stringMatching(/^\/2 \(GET \/shadow\): /) as string,
    ]);
    expect(dependencies['authorization']).toMatchObject({ up: true });
  });

  it('in shadow mode the request passes, and the error is logged all the same', async () => {
    expect((await as(stage, 'bob', '/shadow')).status).toBe(200);
    await expect
      .poll(() => lineWith(stage, 'OpenFGA refuses what a rule asks', '"rule":"/shadow"'))
      .toBeDefined();
  });

  it('is told to the caller without the type, and to the log without the user', async () => {
    const problem = await expectRefusal(await as(stage, 'bob', '/type/3'), 'authorization_misconfigured');
    expect(JSON.stringify(problem)).not.toContain('docment');
    const said = () => lineWith(stage, 'OpenFGA refuses what a rule asks', problem.request_id);
    await expect.poll(said).toBeDefined();
    expect(said()).not.toContain('bob');
  });
});

gatewaySuite(
  'a store that is not there',
  { variables: () => ({ OPENFGA_STORE_ID: '01ARZ3NDEKTSV4RRFFQ69G5FAV' }) },
  (stage) => {
    it('is no reason to say that OpenFGA is away', async () => {
      await expectStopped(as(stage, 'bob', '/admin/x'), 'authorization_misconfigured', stage.upstream);
    });
  },
);

function lineWith(stage: Stage, ...parts: readonly string[]): string | undefined {
  const lines = stage.gateway.output().split('\n');
  return lines.find((line) => parts.every((part) => line.includes(part)));
}
