import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checked } from '../../cli/zitadel/first-instance/check.ts';
import { recordingsMissing } from './recordings.ts';

const FILE = new URL('../../../shared/recordings/zitadel/00-first-instance-variables.txt', import.meta.url);

interface Recorded {
  readonly name: string;
  readonly variables: readonly string[];
  readonly person: { readonly userName: string; readonly email: string };
  readonly verified: boolean;
  readonly domain: string;
  readonly loginNames: readonly string[];
}

function recorded(): Recorded[] {
  const blocks = readFileSync(FILE, 'utf8').split(/^== /m).slice(1);
  return blocks.map((block) => {
    const [head = '', ...lines] = block.trim().split('\n');
    const [, name = '', rest = ''] = /^(\w+): (.*)$/.exec(head) ?? [];
    const events = lines.map((line) => line.split('|'));
    const payload = (type: string): Record<string, string> =>
      JSON.parse(events.find(([each]) => each === type)?.[1] ?? '{}') as Record<string, string>;
    const { userName = '', email = '' } = payload('user.human.added');
    return {
      name,
      variables: rest.split(/ (?=ZITADEL_)/),
      person: { userName, email },
      verified: events.some(([type]) => type === 'user.human.email.verified'),
      domain: payload('org.domain.added')['domain'] ?? '',
      loginNames: events.filter(([type]) => type === 'login_name').map(([, each = '']) => each),
    };
  });
}

const folder = mkdtempSync(join(tmpdir(), 'first-instance-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe.skipIf(recordingsMissing)(
  'first-instance check beside recorded first starts (needs ../shared/recordings)',
  () => {
    it.each(recordingsMissing ? [] : recorded())('comes to the same for $name', async (each) => {
      const file = join(folder, `${each.name}.env`);
      writeFileSync(file, each.variables.map((line) => line.replace(/=(.*)$/, "='$1'")).join('\n'));
      const { outcome } = await checked(file, new Date());
      expect(outcome).toMatchObject({
        username: each.person.userName,
        email: each.person.email,
        email_verified: each.verified,
        org_domain: each.domain,
      });
      expect(each.loginNames).toEqual(expect.arrayContaining([...outcome.login_names]));
      expect(outcome.login_names).toHaveLength(1);
    });
  },
);
