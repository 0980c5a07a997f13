import { expect, it } from 'vitest';
import { modelCheck } from '../../functions/gateway/authorize/model-check.ts';
import { parseModel } from '../../shared/adapters/openfga/model-file.ts';
import { RelationsRefused, RelationsUnavailable } from '../../shared/errors.ts';
import { manualClock } from '../support/clock.ts';
import { compiled } from './rules/support.ts';

const DSL = 'model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n';
const PUBLIC = compiled([{ path: '/a', method: 'GET', feature: 'public_access' }]);
const FITTING = compiled([{ path: '/a', method: 'GET', object: 'document:1' }]);
const LACKING = compiled([
  { path: '/a', method: 'GET', object: 'document:1' },
  { path: '/b', method: ['PUT', 'POST'], object: 'document:1', action: 'editor' },
]);

function stage(start = FITTING) {
  const state = { rules: start, dsl: DSL as string | undefined, error: undefined as Error | undefined };
  const [reads, said, clock]: [string[], unknown[], ReturnType<typeof manualClock>] = [[], [], manualClock()];
  const log = { debug() {}, info() {}, warn() {}, error: (...line: unknown[]) => void said.push(line) };
  const served = () => {
    reads.push('read');
    if (state.error !== undefined) return Promise.reject(state.error);
    return Promise.resolve(state.dsl === undefined ? undefined : { id: 'M1', model: parseModel(state.dsl) });
  };
  const check = modelCheck({ models: { served }, rules: () => state.rules, clock, log });
  return { state, reads, said, clock, check };
}

it('names the rules that ask what the live model lacks, and says so once in the log', async () => {
  const { check, said, clock } = stage(LACKING);
  const seen = { up: false, state: 'lacks what rules ask' };
  const rules = ['/1 (PUT, POST /b): model M1 has no relation "editor" on document: it has viewer'];
  expect(await check.look()).toEqual({ ...seen, rules });
  clock.advance(10);
  expect(await check.look()).toEqual({ ...seen, rules });
  expect(said).toEqual([['access rules ask what the model of OpenFGA lacks', { rules }]]);
  expect(check.needed).toBe(false);
});

it('looks again after a reload of the rules and after a while, not with each probe', async () => {
  const { check, state, reads, clock } = stage();
  for (let probe = 0; probe < 3; probe += 1) expect(await check.look()).toEqual({ up: true, state: 'fits' });
  expect(reads).toHaveLength(1);
  state.rules = LACKING;
  expect(await check.look()).toMatchObject({ up: false });
  state.dsl = DSL.replace('viewer', 'editor');
  clock.advance(5);
  expect(await check.look()).toMatchObject({ rules: [expect.stringContaining('/0 (GET /a)') as string] });
});

it('asks nothing where no rule asks anything', async () => {
  const { check, reads } = stage(PUBLIC);
  expect(await check.look()).toEqual({ up: true, state: 'fits' });
  expect(reads).toEqual([]);
});

it('tells a store without a model, one that is refused and one that is away apart', async () => {
  const { check, state } = stage();
  state.error = new RelationsRefused('OpenFGA failed: 404 store_id_not_found');
  expect(await check.look()).toMatchObject({ up: false, state: 'refused' });
  state.error = new RelationsUnavailable('OpenFGA failed: ECONNREFUSED');
  await expect(check.look()).rejects.toThrow('ECONNREFUSED');
  state.error = undefined;
  state.dsl = undefined;
  expect(await check.look()).toMatchObject({ state: 'lacks what rules ask' });
});
