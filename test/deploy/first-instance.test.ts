import { expect, it } from 'vitest';
import { sallyport } from '../support/sallyport.ts';

const VALUES = {
  AUTH_DOMAIN: 'auth.example.org',
  ADMIN_EMAIL: 'admin@example.org',
  ADMIN_PASSWORD: 'Password1!',
  ZITADEL_MASTERKEY: '0123456789abcdef0123456789abcdef',
};

it.each([
  ['deploy/kubernetes/zitadel.yaml', {}, 'admin@yourdomain.com', 'operations.auth.yourdomain.com'],
  ['deploy/compose/compose.yaml', VALUES, VALUES.ADMIN_EMAIL, 'operations.auth.example.org'],
] as const)(
  '%s makes the administrator that it says, by the check of a first start',
  async (file, variables, name, domain) => {
    const { code, stdout } = await sallyport(variables, 'zitadel', 'first-instance', 'check', file, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ username: name, email: name, email_verified: true, org_domain: domain, login_names: [name] },
      faults: [],
    });
    expect(code).toBe(0);
  },
);
