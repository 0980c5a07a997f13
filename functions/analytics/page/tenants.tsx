import type { Page, TenantFigures } from '../../../shared/figures/read.ts';
import { Bar } from './charts.tsx';
import { day, NONE, number, pathPart, percent, share } from './format.ts';
import { Section, Table } from './layout.tsx';

/** Tenants with a bar of who is across. */
export function TenantsTable({ tenants }: { tenants: readonly TenantFigures[] }) {
  return (
    <Table
      caption="Tenants by how many are across"
      columns={[
        ...[{ title: 'Tenant' }, { title: 'Across', wide: true }, { title: '%', number: true }],
        ...[
          { title: 'Left', number: true },
          { title: 'Completed', number: true, minor: true },
        ],
        ...[
          { title: 'People', number: true, minor: true },
          { title: 'Password', number: true, minor: true },
        ],
        ...[
          { title: 'Both', number: true, minor: true },
          { title: 'Provider', number: true, minor: true },
        ],
        ...[
          { title: 'Deadline', number: true, minor: true },
          { title: 'Confirmed', number: true, minor: true },
        ],
      ]}
      rows={tenants.map((row) => {
        const across = share(row.settled, row.active);
        return [
          <a href={`/analytics/tenant/${pathPart(row.slug, row.tenant_id)}`}>{row.tenant_name}</a>,
          <Bar percent={across} />,
          percent(across),
          number(row.active - row.settled),
          number(row.completed),
          number(row.total_users),
          number(row.password_users),
          number(row.dual_users),
          number(row.kanidm_users),
          day(row.deadline),
          row.confirmed === null ? NONE : day(row.confirmed),
        ];
      })}
    />
  );
}

/** The furthest first, where all are there; pages have the order of their cursors. */
export function byAcross({
  rows,
  next,
}: Pick<Page<TenantFigures>, 'rows' | 'next'>): readonly TenantFigures[] {
  const across = ({ settled, active }: TenantFigures): number => share(settled, active) ?? 0;
  return next === null ? rows.toSorted((a, b) => across(b) - across(a)) : rows;
}

export function TenantsPage({ tenants }: { tenants: Pick<Page<TenantFigures>, 'rows' | 'next'> }) {
  const { next } = tenants;
  return (
    <>
      <h1>Tenants</h1>
      <Section id="tenants" title="How far each is" csv="/analytics/tenants.csv">
        <TenantsTable tenants={byAcross(tenants)} />
        {next === null ? null : (
          <p class="note">
            <a href={`/analytics/tenant/?cursor=${encodeURIComponent(next)}`} rel="next">
              Further tenants
            </a>
          </p>
        )}
      </Section>
    </>
  );
}
