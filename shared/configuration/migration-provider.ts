import type { ProviderName } from '../ports/directory.ts';
import type { Written } from './names.ts';

/** MIGRATION_PROVIDER, else the only one that is configured; null where there is none, or two and no word on which. */
export function migrationProviderIn(written: Written): ProviderName | null {
  const { MIGRATION_PROVIDER: named, KANIDM_ISSUER_URL: kanidm, ZITADEL_ISSUER_URL: zitadel } = written;
  if (named === 'kanidm' || named === 'zitadel') return named;
  if ((kanidm === undefined) === (zitadel === undefined)) return null;
  return kanidm === undefined ? 'zitadel' : 'kanidm';
}
