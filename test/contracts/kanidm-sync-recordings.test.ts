import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startKanidm, type Kanidm } from '../../dev/kanidm/index.ts';
import { comparable, exchanges, kanidmRecordingsMissing, type Exchanged } from './kanidm-recordings.ts';

const NewAccount = z.object({ attrs: z.object({ name: z.tuple([z.string()]) }) });
const TAKEN =
  /^\/(?:scim\/v1\/Sync|v1\/person|v1\/sync_account\/\w+\/(?:_finalise|_terminate|_attr\/sync_yield_authority))/;

describe.skipIf(kanidmRecordingsMissing)(
  'SCIM sync beside a recorded Kanidm (needs ../shared/recordings)',
  () => {
    let kanidm: Kanidm;
    let syncToken = '';
    beforeEach(async () => {
      kanidm = await startKanidm();
      for (const name of ['dave', 'alice5'])
        await call('POST', '/v1/person', kanidm.token, {
          attrs: { name: [name], displayname: [name], mail: [`${name}@example.org`] },
        });
    });
    afterEach(() => kanidm.close());

    const call = async (method: string, path: string, token: string | undefined, body: unknown) => {
      const answer = await fetch(kanidm.url + path, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          'content-type': 'application/json',
        },
        ...(body !== null && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: comparable(await answer.json()) };
    };

    const tokenOf = ({ request_headers: { Authorization: named = '' } }: Exchanged): string | undefined => {
      if (named.includes('sync-token')) return syncToken;
      if (/token_admin|session:admin/.test(named)) return kanidm.adminToken;
      return named.includes('token_sa') ? kanidm.token : undefined;
    };

    /** `admin` makes the account; its token is of the stand-in. */
    const isAccount = ({ path, request, status }: Exchanged): boolean => {
      const account = NewAccount.safeParse(request).data;
      if (path === '/v1/sync_account' && status === 200 && account !== undefined)
        syncToken = kanidm.syncs.make(account.attrs.name[0]);
      return path.startsWith('/v1/sync_account') && !TAKEN.test(path);
    };

    const isLeftOut = ({ path, method, note, request }: Exchanged): boolean =>
      !TAKEN.test(path) ||
      // Passwords are for sync accounts alone, which the stand-in cannot refuse one by one.
      /password_import/.test(path) ||
      (path === '/v1/person' && /password_import/.test(JSON.stringify(request))) ||
      /_credential\/_update$/.test(path) ||
      // A group that another file made.
      (note === 'after finalise' && method === 'GET');

    it.each([
      '06_password_import.jsonl',
      '06b_import_more.jsonl',
      '06c_sync_lazy.jsonl',
      '06d_sync_batch.jsonl',
    ])('answers as it did: %s', async (file) => {
      const differences: unknown[] = [];
      let compared = 0;
      for (const line of exchanges(file)) {
        if (isAccount(line) || isLeftOut(line)) continue;
        compared += 1;
        const mine = await call(line.method, line.path, tokenOf(line), line.request);
        const theirs = { status: line.status, body: comparable(line.response) };
        if (JSON.stringify(mine) !== JSON.stringify(theirs))
          differences.push([line.note, line.path, mine, theirs]);
      }
      expect(compared).toBeGreaterThan(5);
      expect(differences).toEqual([]);
    });
  },
);
