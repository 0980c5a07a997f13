import { hashSync } from 'bcryptjs';
import { expect, it } from 'vitest';
import { node } from '../support/gateway/node.ts';
import { makeUser, PASSWORD } from './people.ts';
import { authSuite } from './suite.ts';

/** Most of a second of one processor, which a loaded machine gives to the hash no sooner than the milliseconds that three answers take. */
const COST = 13;

authSuite('hashing', { on: [node], variables: () => ({ PASSWORD_COST: `${COST}` }) }, (stage) => {
  it('leaves the process free: what comes while a password is compared is answered before it', async () => {
    const user = await makeUser(stage.database, { hash: hashSync(PASSWORD, COST) });
    await stage.gateway.fetch('/health');
    const ended: string[] = [];
    const signingIn = stage
      .post('login', { email: user.email, password: PASSWORD })
      .then((answer) => ended.push(`login ${answer.status}`));
    // One after the other: were the loop held up, the second would have waited for the hash.
    for (let at = 0; at < 3; at += 1) {
      await stage.gateway.fetch('/health');
      ended.push('health');
    }
    await signingIn;
    expect(ended).toEqual(['health', 'health', 'health', 'login 200']);
  });
});
