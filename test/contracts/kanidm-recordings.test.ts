import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startKanidm, type Kanidm } from '../../dev/kanidm/index.ts';
import {
  comparable,
  exchanges,
  kanidmRecordingsMissing,
  shapeOfList,
  type Exchanged,
} from './kanidm-recordings.ts';

/** Lists in which the real one had further entries: only their form is compared. */
const LISTS =
  /^scim (?:filter|paging|class|name)|^page of|list all|recycle bin as admin|bin as sa|^search|^raw \{"and"/;

/** Routes and values that the stand-in leaves out: see its README.md. */
function isLeftOut({ method, path, request }: Exchanged): boolean {
  const text = JSON.stringify(request ?? '');
  return (
    /\/_search\/|^\/v1\/(?:oauth2|service_account|sync_account(?!\/\w+\/_finalise)|raw\/modify|account)/.test(
      path,
    ) ||
    /^\/(?:ui|oauth2|scim\/v1\/(?:Message|Entry\/))/.test(path) ||
    (path.startsWith('/scim/v1/Entry') && method !== 'GET') ||
    /_credential\/_(?:status|update_intent_send)|^\/v1\/(?:credential|auth|self)|idm_all_persons|_user_auth_token/.test(
      path,
    ) ||
    /totp|password_import/.test(text + path) ||
    (method === 'PUT' && path === '/v1/person')
  );
}

const Entry = z.object({
  id: z.string().optional(),
  uuid: z.string().optional(),
  name: z.string().optional(),
  displayname: z.string().optional(),
  mail: z.array(z.object({ value: z.string() })).optional(),
});

describe.skipIf(kanidmRecordingsMissing)('beside a recorded Kanidm (needs ../shared/recordings)', () => {
  let kanidm: Kanidm;
  let tokens: Readonly<Record<string, string>>;
  beforeAll(async () => {
    kanidm = await startKanidm({ mailIndex: false });
    tokens = {
      token_sa: kanidm.tokenWith(['idm_people_admins', 'idm_group_admins']),
      token_sa_ro: kanidm.tokenWith(['idm_people_admins', 'idm_group_admins'], false),
      token_admin: kanidm.tokenWith(['idm_recycle_bin_admins', 'idm_admins']),
      token_idm_admin: kanidm.tokenWith(['idm_people_admins', 'idm_group_admins', 'idm_admins']),
    };
    for (const attrs of [
      { name: ['p_onb'], displayname: ['x'], mail: ['p_onb@example.org'] },
      { name: ['tgrp1'], displayname: ['x'] },
    ])
      await fetch(`${kanidm.url}/v1/person`, {
        method: 'POST',
        headers: { authorization: `Bearer ${kanidm.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ attrs }),
      });
  });
  afterAll(() => kanidm.close());

  const replay = async ({ note, method, path, request, request_headers: headers }: Exchanged) => {
    const token = /<(token_\w+)>/.exec(headers.Authorization ?? '')?.[1];
    const authorization = token === undefined ? undefined : tokens[token];
    const body =
      request === null ? undefined : typeof request === 'string' ? request : JSON.stringify(request);
    const answer = await fetch(kanidm.url + path, {
      method,
      headers: {
        ...(authorization !== undefined && { authorization: `Bearer ${authorization}` }),
        ...(body !== undefined && note !== 'no content-type' && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
    });
    const text = await answer.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // Some refusals are plain text.
    }
    return { status: answer.status, body: parsed };
  };

  /** Rights, which the stand-in gives its accounts by code. */
  const grants = ({ method, path, status }: Exchanged): boolean => {
    const group = /^\/v1\/group\/(idm_\w+_admins)\/_attr\/member$/.exec(path)?.[1];
    if (group === undefined || method !== 'POST') return false;
    if (status === 200) kanidm.store.join(kanidm.store.find(group)!, ['sallyport_prov2']);
    return true;
  };

  /** What SCIM changes of people, which the stand-in does not take by that way. */
  const changedBySCIM = ({ method, path, request, status }: Exchanged): void => {
    const entry = Entry.safeParse(request).data;
    if (path !== '/scim/v1/Entry' || status !== 200 || entry === undefined) return;
    const { id, name, displayname = '', mail, uuid } = entry;
    const values = { displayname, ...(mail && { mail: mail.map(({ value }) => value) }) };
    const there = kanidm.store.find(id ?? '');
    if (method === 'PUT' && there !== undefined) kanidm.store.modify(there, values);
    else if (name !== undefined) {
      const [made] = kanidm.store.create([{ kind: 'person', name, ...(uuid && { uuid }), ...values }]);
      for (const group of ['idm_all_persons', 'idm_all_accounts'])
        kanidm.store.join(kanidm.store.find(group)!, [made!.uuid]);
    }
  };

  it.each(['02_persons.jsonl', '02b_persons_more.jsonl', '03_groups.jsonl', '04_reset.jsonl'])(
    'answers as it did: %s',
    async (file) => {
      const differences: unknown[] = [];
      for (const line of exchanges(file)) {
        changedBySCIM(line);
        if (isLeftOut(line) || grants(line)) continue;
        const compare = LISTS.test(line.note) ? shapeOfList : comparable;
        const answer = await replay(line);
        const mine = { status: answer.status, body: compare(answer.body) };
        const theirs = { status: line.status, body: compare(line.response) };
        if (JSON.stringify(mine) !== JSON.stringify(theirs))
          differences.push([line.note, line.path, mine, theirs]);
      }
      expect(differences).toEqual([]);
    },
  );
});
