import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readFolder } from '../../shared/configuration/folder.ts';
import { invitationHash, invitationToken } from '../../shared/invitations/token.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import { previewMail } from '../../shared/mail/render.ts';
import { compileTemplates } from '../../shared/mail/templates.ts';
import { openKeyRing } from '../../shared/sessions/keys.ts';
import { BRAND, invitation, mailConfig, RESET } from './stage.ts';

const templates = compileTemplates(readFolder('config/mail'));
const DATE = new Date(Date.UTC(2030, 0, 1));
const preview = (mail: Parameters<typeof previewMail>[0]) =>
  previewMail(mail, DATE, { templates, mail: mailConfig(25), brand: BRAND });

describe('the preview of a mail', () => {
  it.each(['invitation', 'reminder', 'deadline'] as const)('has the fields of a wave: %s', (kind) => {
    const { values } = invitation(1);
    const mail = preview({ ...invitation(1), kind, values: { ...values, name: '<b>&"Bob' } });
    expect(mail).toMatchObject({ to: 'user-1@example.org', messageId: '<wave-1-1@example.org>', date: DATE });
    expect(Object.fromEntries(mail.headers)).toEqual({
      'Auto-Submitted': 'auto-generated',
      'List-Unsubscribe': '<https://app.example.org/invites/t1/unsubscribe>',
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
    });
    expect(mail.text).toContain('Hi <b>&"Bob,');
    expect(mail.html).toContain('Hi &lt;b&gt;&amp;&quot;Bob,');
    expect(mail.html).toContain('href="https://app.example.org/invites/t1"');
  });

  it('says of the deadline that it comes all the same, and of a mail that was asked for nothing of lists', () => {
    expect(preview({ ...invitation(1), kind: 'deadline' }).text).toContain('cannot be unsubscribed');
    expect(preview({ ...invitation(1), kind: 'reminder' }).text).not.toContain('cannot be unsubscribed');
    expect(preview(RESET).headers).toEqual([['Auto-Submitted', 'auto-generated']]);
  });
});

describe('the token of an invitation', () => {
  const ring = async () => openKeyRing({ keys: await makePrivateKeys() });

  it('is the same for the same step, another for any other, and 256 bits of which only the hash is kept', async () => {
    const keys = await ring();
    const one = await invitationToken(keys, 'a', 'b');
    expect(await invitationToken(keys, 'a', 'b')).toEqual(one);
    const others = await Promise.all(
      (
        [
          ['a', 'c'],
          ['b', 'b'],
          ['ab', ''],
          ['', 'ab'],
        ] as const
      ).map(([id, step]) => invitationToken(keys, id, step)),
    );
    expect(new Set([one, ...others].map(({ token }) => token)).size).toBe(5);
    expect(Buffer.from(one.token, 'base64url')).toHaveLength(32);
    expect(Buffer.from(one.hash)).toEqual(createHash('sha256').update(one.token).digest());
    expect(invitationHash(one.token)).toEqual(one.hash);
  });

  it('cannot be made with other keys', async () => {
    const [one, other] = await Promise.all([ring(), ring()]);
    expect((await invitationToken(one, 'a', 'b')).token).not.toBe(
      (await invitationToken(other, 'a', 'b')).token,
    );
  });
});
