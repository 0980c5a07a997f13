import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createPlatform } from '../../shared/deps.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import { timed, type Side } from '../lifecycle/sides.ts';
import { addUsers, forget, HASH, TENANT, type BenchUser, type CrossingGround } from './ground.ts';

/** Of all people, those that the seed's way is measured on. */
export const SCRIPT_SAMPLE = 40;

/** `users provision`, as the command runs it. */
export function provisioned(ground: CrossingGround, count: number): Side {
  return withUsers(ground, count, async () => {
    const request = { tenant: null, limit: null, passwords: true, listed: null };
    const { counts } = await provision(request, ground.deps);
    if (counts.created !== count) throw new Error(`the bench made ${counts.created} of ${count} accounts`);
  });
}

/** Only the calls that cannot be done without, from a list in memory: no ledger, no plan, no link. */
export function madeBare(ground: CrossingGround, count: number): Side {
  const { traits } = ground.directory;
  return withUsers(ground, count, async (users) => {
    let at = 0;
    const worker = async (): Promise<void> => {
      while (at < users.length) {
        const batch = users.slice(at, at + traits.batch);
        at += traits.batch;
        await makeBatch(ground, batch);
      }
    };
    await Promise.all(Array.from({ length: traits.concurrency }, worker));
  });
}

async function makeBatch(ground: CrossingGround, users: readonly BenchUser[]): Promise<void> {
  if (ground.config.provider === 'kanidm') {
    const entries = users.map(({ id, email }) => ({ attrs: kanidmAttrs(id, email, true) }));
    await post(ground, '/v1/raw/create', { entries });
    await post(
      ground,
      `/v1/group/${ground.group ?? ''}/_attr/member`,
      users.map(({ id }) => id),
    );
    return;
  }
  for (const { id, email } of users)
    await post(ground, '/v2/users/new', {
      organizationId: TENANT.id,
      userId: id,
      username: email,
      human: {
        profile: { givenName: 'Bench', familyName: 'User', displayName: 'Bench User' },
        email: { email, returnCode: {} },
        hashedPassword: { hash: HASH, changeRequired: false },
      },
    });
}

function kanidmAttrs(id: string, email: string, raw: boolean): Readonly<Record<string, readonly string[]>> {
  return {
    ...(raw && { class: ['object', 'account', 'person'] }),
    name: [email.replace('@', '_')],
    displayname: ['Bench User'],
    mail: [email],
    uuid: [id],
  };
}

const { exchange } = createPlatform();

async function post({ config }: CrossingGround, path: string, body: unknown): Promise<void> {
  const { status, text } = await exchange({
    method: 'POST',
    url: config.url + path,
    headers: { authorization: `Bearer ${config.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    timeoutMs: 60_000,
  });
  if (status >= 300) throw new Error(`the bare loop got ${status}: ${text.slice(0, 200)}`);
}

/** A process for each step of a person, and psql at its end, as the seed's script has them; milliseconds scaled from a few people. */
export function madeByScript(ground: CrossingGround, count: number): Side {
  return async () => {
    const ms = await withUsers(ground, SCRIPT_SAMPLE, async (users) => {
      for (const { id, email } of users) {
        await curl(ground, '/v1/person', { attrs: kanidmAttrs(id, email, false) });
        await curl(ground, `/v1/group/${ground.group ?? ''}/_attr/member`, [id]);
        await run(ground.psql, [
          ...['-q', ground.databaseUrl, '-c'],
          `update users set kanidm_user_id = '${id}', kanidm_synced_at = now(), auth_method = 'dual' where user_id = '${id}'`,
        ]);
      }
    })();
    return ms * (count / SCRIPT_SAMPLE);
  };
}

/** In place of the provider's own command line, which does more at each start. */
function curl({ config }: CrossingGround, path: string, body: unknown): Promise<void> {
  const header = [`authorization: Bearer ${config.token}`, 'content-type: application/json'];
  return run('curl', [
    ...['-sS', '-f', '-o', '/dev/null', '-d', JSON.stringify(body)],
    ...header.flatMap((field) => ['-H', field]),
    config.url + path,
  ]);
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, [...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}`);
}

/** With users of its own, who are gone after it. */
function withUsers(
  ground: CrossingGround,
  count: number,
  work: (users: readonly BenchUser[]) => Promise<void>,
): Side {
  return async () => {
    const users = await addUsers(ground, count);
    const ms = await timed(() => work(users));
    await forget(ground, users);
    return ms;
  };
}
