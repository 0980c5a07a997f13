import type { Session } from './mail.contract.ts';
import { runSession } from './mail-session.ts';

/** Speaks SMTP from inside workerd; the test outside judges. */
export default {
  async fetch(request: Request): Promise<Response> {
    const session = (await request.json()) as Session;
    const none = (): string => {
      throw new Error('a Worker has no files');
    };
    return Response.json(await runSession(session, none));
  },
};
