import * as z from 'zod';
import { listed } from '../../../shared/zitadel/reader.ts';
import { Nothing, unlessUnchanged, type ZitadelClient } from './client.ts';

const Provider = z.object({
  id: z.string(),
  state: z.string().default(''),
  description: z.string().default(''),
  smtp: z
    .object({
      senderAddress: z.string().default(''),
      senderName: z.string().default(''),
      tls: z.boolean().default(false),
      host: z.string().default(''),
      user: z.string().default(''),
      replyToAddress: z.string().default(''),
    })
    .optional(),
});

export type EmailProvider = z.infer<typeof Provider>;
export type Smtp = NonNullable<EmailProvider['smtp']> & { readonly description: string };

export function isActive({ state }: EmailProvider): boolean {
  return state === 'EMAIL_PROVIDER_ACTIVE';
}

/** Mail servers and webhooks for mails; at most one is active. */
export function emailProviders(client: ZitadelClient): Promise<readonly EmailProvider[]> {
  return listed(client, Provider, { path: '/admin/v1/email/_search', right: 'iam.read' });
}

/** Zitadel takes a second one of the same values silently. Inactive until it is activated. */
export async function createSmtp(client: ZitadelClient, smtp: Smtp, password: string): Promise<string> {
  const call = {
    method: 'POST',
    path: '/admin/v1/email/smtp',
    body: { ...smtp, ...(password !== '' && { password }) },
    secrets: [password],
    right: 'iam.write',
  } as const;
  return (await client.call(z.object({ id: z.string() }), call)).id;
}

/** Replaces all of it. An empty password leaves the stored one. */
export async function updateSmtp(
  client: ZitadelClient,
  id: string,
  smtp: Smtp,
  password: string,
): Promise<void> {
  const path = `/admin/v1/email/smtp/${id}`;
  const body = { ...smtp, ...(password !== '' && { password }) };
  await unlessUnchanged(
    client.call(Nothing, { method: 'PUT', path, body, secrets: [password], right: 'iam.write' }),
  );
}

/** The one that was active is no longer. One that is active already stays so. */
export async function activateEmail(client: ZitadelClient, id: string): Promise<void> {
  const path = `/admin/v1/email/${id}/_activate`;
  await unlessUnchanged(client.call(Nothing, { method: 'POST', path, body: {}, right: 'iam.write' }));
}
