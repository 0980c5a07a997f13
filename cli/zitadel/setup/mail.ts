import {
  activateEmail,
  createSmtp,
  emailProviders,
  isActive,
  updateSmtp,
  type EmailProvider,
  type Smtp,
} from '../api/email.ts';
import { differences, known, Plan, type Setup } from './plan.ts';
import { currentList } from './current.ts';

export function currentMail(client: Setup['client']): Promise<readonly EmailProvider[]> {
  return currentList(client, () => emailProviders(client), {
    added: ['instance.smtp.config.added'],
    removed: ['instance.smtp.config.removed'],
  });
}

const SECRET = 'smtp.password';

/** Zitadel takes a second mail server silently, so the one that is there is changed, and one is made only where there is none. */
export async function mailPart({ client, wanted, asked }: Setup): Promise<Plan> {
  const plan = new Plan();
  if (wanted.smtp === undefined) return plan;
  const { password = '', user = '', replyTo, ...rest } = wanted.smtp;
  const smtp: Smtp = { ...rest, user, replyToAddress: replyTo };
  const providers = await currentMail(client);
  const servers = providers.filter((each) => each.smtp !== undefined);
  const found = pick(servers, smtp);
  const what = `mail server ${smtp.host}`;
  let id = found?.id;
  if (found?.smtp === undefined)
    plan.make(what, async () => {
      id = await createSmtp(client, smtp, password);
      asked.carriedOut(SECRET);
    });
  else {
    const differing = differences({ ...found.smtp, description: found.description }, smtp);
    const secret = password !== '' && asked.writes(SECRET) ? ['password'] : [];
    const all = [...differing, ...secret];
    if (all.length === 0) plan.kept.push(what);
    else
      plan.change(what, all.join(', '), async () => {
        await updateSmtp(client, found.id, smtp, password);
        asked.carriedOut(SECRET);
      });
    if (password !== '' && all.length === 0)
      plan.unchecked.push(`${SECRET}: Zitadel does not show it; --write-secrets writes it again`);
  }
  if (found === undefined || !isActive(found))
    plan.make(`${what}, active`, () => activateEmail(client, known(id, what)));
  if (servers.length > 1)
    plan.notes.push(
      `${servers.length - 1} further mail servers are there, not active while this one is; they stay`,
    );
  return plan;
}

function pick(
  servers: readonly EmailProvider[],
  { host, senderAddress, description }: Smtp,
): EmailProvider | undefined {
  return (
    servers.find(({ smtp }) => smtp?.host === host && smtp.senderAddress === senderAddress) ??
    servers.find((each) => each.description === description) ??
    servers.find(isActive) ??
    servers[0]
  );
}
