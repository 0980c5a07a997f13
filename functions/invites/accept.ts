import { Refusal } from '../../shared/errors.ts';
import type { RouteContext } from '../../shared/edge/frame.ts';
import { claimLink, releaseLink, spendLink, type Link } from '../../shared/invitations/link.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { provisionOne } from '../../shared/provisioning/one.ts';
import type { InvitesDeps } from './deps.ts';

/** Seconds that Kanidm's page may be filled in. */
const INTENT_SECONDS = 3_600;

export interface Accepting {
  readonly link: Link;
  readonly hash: Uint8Array;
  /** Where sign-in begins; null where that is not configured. */
  readonly startUrl: string | null;
}

/**
 * Spends a link: returns where it leads, undefined where another request spends it or has spent it. A provider that is away leaves it as
 * it is. Throws Refusal `identity_provider_unavailable` and `not_configured`, and as `Database`.
 */
export async function accept(
  { link, hash, startUrl }: Accepting,
  { address: from, id: run }: Pick<RouteContext, 'address' | 'id'>,
  deps: InvitesDeps,
): Promise<string | undefined> {
  const { database, directory, random } = deps;
  if (directory === null)
    throw new Refusal('not_configured', 'no token of the provider, so that nobody can be led there');
  const claim = random.uuid();
  if (!(await claimLink(database, hash, claim))) return undefined;
  try {
    const url = await wayIn(link, startUrl, { ...deps, directory });
    return (await spendLink(database, hash, { claim, userId: link.userId, from, run })) ? url : undefined;
  } catch (error) {
    await releaseLink(database, hash, claim).catch(() => {
      deps.log.warn('link of an invitation stays claimed for a minute', { request_id: run });
    });
    throw error;
  }
}

type Needs = Pick<InvitesDeps, 'database' | 'log'> & { readonly directory: Directory };

/** The provider's own page for a first credential, or sign-in where the password went along. */
async function wayIn(link: Link, startUrl: string | null, deps: Needs): Promise<string> {
  const { directory, log } = deps;
  await provisioned(link, deps);
  if (link.carried && startUrl !== null) return startUrl;
  const invited = await directory.invite(link.account, INTENT_SECONDS);
  if (invited.outcome === 'link') return invited.url;
  if (invited.outcome === 'initialised') {
    if (startUrl !== null) return startUrl;
    throw new Refusal('not_configured', 'no client at the provider, so that nobody can sign in there');
  }
  log.error('no way to the provider for an invitation', { user: link.userId, answer: invited });
  throw away(invited.outcome);
}

/** Makes the account, without the password, where the wave has it made with the invitation. */
async function provisioned(link: Link, { database, directory, log }: Needs): Promise<void> {
  if (link.provisioned || !link.inviteCode) return;
  const made = await provisionOne(
    link.userId,
    { database, directory },
    { password: false, from: 'invitation' },
  );
  if (made.outcome === 'linked') return;
  const reason = made.outcome === 'failed' ? made.reason : 'not to be provisioned now';
  log.error('no account at the provider for an invitation', { user: link.userId, reason });
  throw away(reason);
}

function away(reason: string): Refusal {
  return new Refusal('identity_provider_unavailable', reason, {
    detail: 'Your account cannot be opened at present. The link stays as it is: try again later.',
  });
}
