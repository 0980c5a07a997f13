import { either, orAbsent } from '../../../shared/zitadel/reader.ts';
import { Nothing, type ZitadelClient } from './client.ts';

interface User {
  readonly id: string;
  readonly organization: string;
}

/** Replaces the value of a key. It is read back from the events, which are always current: `eventsOf`. */
export async function setMetadata(
  client: ZitadelClient,
  { id, organization }: User,
  key: string,
  text: string,
): Promise<void> {
  const value = Buffer.from(text, 'utf8').toString('base64');
  const user = encodeURIComponent(id);
  const call = { method: 'POST', right: 'user.write' } as const;
  await either(
    () =>
      client.call(Nothing, {
        ...call,
        path: `/v2/users/${user}/metadata`,
        body: { metadata: [{ key, value }] },
      }),
    () =>
      client.call(Nothing, {
        ...call,
        path: `/management/v1/users/${user}/metadata/${encodeURIComponent(key)}`,
        organization,
        body: { value },
      }),
  );
}

/** A key that is gone already counts as removed. */
export async function removeMetadata(
  client: ZitadelClient,
  { id, organization }: User,
  key: string,
): Promise<void> {
  const user = encodeURIComponent(id);
  const name = encodeURIComponent(key);
  const call = { method: 'DELETE', right: 'user.write' } as const;
  await orAbsent(
    either(
      () => client.call(Nothing, { ...call, path: `/v2/users/${user}/metadata?keys=${name}` }),
      () =>
        client.call(Nothing, {
          ...call,
          path: `/management/v1/users/${user}/metadata/${name}`,
          organization,
        }),
    ),
  );
}
