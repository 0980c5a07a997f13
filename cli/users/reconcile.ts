import { KINDS, type Difference } from '../../shared/provisioning/compare.ts';
import {
  findDifferences,
  mend,
  type Reconciled,
  type Remaining,
} from '../../shared/provisioning/reconcile.ts';
import { Failure } from '../failure.ts';
import { assertTenant, goesOn, withPeople } from '../people/ground.ts';
import { colors, note, print } from '../terminal.ts';

export interface ReconcileCommand {
  readonly tenant?: string;
  readonly fix?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly concurrency?: number;
}

/** Prints where database and provider differ; mends it with --fix. */
export async function runReconcile(options: ReconcileCommand): Promise<void> {
  const { tenant = null, concurrency } = options;
  const fix = options.fix === true && options.dryRun !== true;
  const json = options.json === true;
  const begun: string[] = [];
  const onRun = (id: string): void => {
    begun.push(id);
    print(json ? JSON.stringify({ run: id }) : `run ${id}`);
  };
  const work = withPeople({ concurrency, label: fix ? 'mending' : 'comparing', onRun }, async (deps) => {
    await assertTenant(deps.database, tenant);
    return fix ? mend(tenant, deps) : findDifferences(tenant, deps);
  });
  try {
    const result = await work;
    report(result, json);
    if (result.left.length > 0) throw new Failure('');
  } catch (error) {
    if (begun.length > 0 && goesOn(error)) note('nothing is lost: `sallyport users reconcile --fix` goes on');
    throw error;
  }
}

function report({ runId, counts, fixed, left }: Reconciled, json: boolean): void {
  for (const remaining of left) print(json ? JSON.stringify(toJson(remaining)) : lineOf(remaining));
  if (json) {
    print(JSON.stringify({ run: runId, ...counts, fixed, left: left.length }));
    return;
  }
  const found = KINDS.filter((kind) => counts[kind] > 0).map((kind) => `${wordOf(kind)} ${counts[kind]}`);
  if (found.length === 0) print(colors.green('database and provider agree'));
  else print(`${found.join(', ')}${runId === null ? '' : `; mended ${fixed}, left ${left.length}`}`);
}

function toJson({ difference: { kind, user, account, database, provider }, reason }: Remaining) {
  return {
    difference: kind,
    user: user?.id ?? null,
    tenant: user?.slug ?? null,
    email: user?.email ?? null,
    account,
    database,
    provider,
    reason,
  };
}

function lineOf({ difference, reason }: Remaining): string {
  const { kind, user, account } = difference;
  const who = user === null ? account : `${user.slug} ${user.email}`;
  return `${wordOf(kind).padEnd(9)} ${who}${sidesOf(difference)}${reason === null ? '' : ` (${reason})`}`;
}

function sidesOf({ kind, database, provider }: Difference): string {
  if (kind === 'missing') return '';
  if (kind === 'orphaned' || kind === 'half_made') return provider === null ? '' : `: ${provider}`;
  if (kind !== 'group') return `: ${database ?? 'nothing'} here, ${provider ?? 'nothing'} there`;
  return `: ${[database === null ? '' : `not in ${database}`, provider === null ? '' : `wrongly in ${provider}`].filter((text) => text !== '').join(', ')}`;
}

function wordOf(kind: Difference['kind']): string {
  return kind === 'half_made' ? 'half-made' : kind;
}
