import * as z from 'zod';
import type { Operations } from '../../../shared/configuration/operations.ts';
import { slice } from '../../../shared/configuration/slice.ts';
import { configured } from '../../variables.ts';
import type { Run, RunFacts } from './run.ts';

/** Where the API is set for itself: an issuer alone names the domain, and says nothing of whether it can be reached. */
const API_URL = slice({
  variables: { ZITADEL_API_URL: z.string().optional() },
  read: (v) => ({ isSet: v.ZITADEL_API_URL !== undefined }),
});

/** Zitadel's API, for what follows the swap; null where it is not known. */
export function apiOf({ zitadelUrl, zitadelToken }: Operations, to: RunFacts['to']): Run['api'] {
  const usable = to === 'kubernetes' || configured(API_URL).isSet;
  return zitadelUrl === null || !usable ? null : { url: zitadelUrl, token: zitadelToken };
}
