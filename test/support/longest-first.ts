import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes ten times as long as most files, the longest first: begun late, each would go on when all others are done. */
const LONG = [
  'test/dev/demo.test.ts',
  'test/invites/scale.test.ts',
  'test/invites/killed.test.ts',
  'test/mail/killed.test.ts',
  'test/provisioning/kill-nine.test.ts',
  'test/zitadel/setup-faults.test.ts',
  'test/zitadel/import-killed.test.ts',
  'test/feature-sync/killed.test.ts',
  'test/people/forget.test.ts',
  'test/auth/explain.test.ts',
  'test/zitadel/import.test.ts',
  'test/zitadel/import-faults.test.ts',
  'test/zitadel/import-stopped.test.ts',
  'test/backup/restore.test.ts',
  'test/backup/killed.test.ts',
  'test/cleanup/gate.test.ts',
  'test/cleanup/gateways.test.ts',
  'test/cleanup/apply.test.ts',
  'test/cleanup/locked.test.ts',
  'test/doctor/stores.test.ts',
  'test/zitadel/import-after.test.ts',
  'test/backup/create.test.ts',
  'test/node/reload.test.ts',
  'test/access/report.test.ts',
  'test/feature-sync/away.test.ts',
  'test/webhooks/reconcile-property.test.ts',
  'test/webhooks/killed.test.ts',
  'test/invites/cli.test.ts',
  'test/provisioning/cli.test.ts',
  'test/node/deaths.test.ts',
  'test/cleanup/memory.test.ts',
  'test/webhooks/two-gateways.test.ts',
  'test/figures/pages-shown.test.ts',
  'test/figures/pages-used.test.ts',
  'test/gateway/uploads.test.ts',
  'test/gateway/authorization.test.ts',
  'test/auth/login.test.ts',
  'test/shared/bounds.test.ts',
];

/** vitest itself orders by the durations of earlier runs, which a fresh checkout has none of. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((a, b) => groupOf(a) - groupOf(b) || rankOf(a) - rankOf(b));
  }
}

function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder;
}

/** Projects stay together, for each has processes of its own; contracts, of which none takes long, are the last. */
function rankOf({ moduleId, project }: TestSpecification): number {
  if (project.name === 'contracts') return LONG.length + 1;
  const at = LONG.findIndex((name) => moduleId.endsWith(`/${name}`));
  return at === -1 ? LONG.length : at;
}
