import type { Kanidm } from '../../dev/kanidm/index.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { openDirectory } from '../contracts/directory-support.ts';

/** The product's adapter, on a stand-in. */
export function kanidmDirectory(kanidm: Kanidm, syncToken: string | null = null): Directory {
  return openDirectory({
    provider: 'kanidm',
    issuer: kanidm.issuer('api'),
    url: kanidm.url,
    token: kanidm.token,
    syncToken,
  });
}
