import type { Code } from '../../../shared/codes.ts';
import { uuidOf } from '../../../shared/uuid.ts';
import type { Person } from '../../../shared/people/users.ts';
import type { AuthConfig } from '../slice.ts';
import type { Arrival, Membership } from './arrive.ts';
import type { Pending } from './pending.ts';

/** What becomes of an account that came back from the provider. */
export type Outcome =
  /** `link`: it becomes this user's now. */
  | { readonly kind: 'known' | 'link'; readonly person: Person }
  | { readonly kind: 'new'; readonly tenant: Membership }
  | {
      readonly kind: 'refused';
      readonly code: Extract<
        Code,
        | 'invalid_callback'
        | 'account_inactive'
        | 'account_not_linked'
        | 'registration_closed'
        | 'no_tenant'
        | 'tenant_required'
      >;
      /** For the log and the audit. */
      readonly why: string;
      /** The user that it is about. */
      readonly userId: string | null;
    };

interface Terms {
  readonly pending: Pick<Pending, 'link' | 'tenant' | 'invited'>;
  readonly newUsers: AuthConfig['newUsers'];
}

/** Decides by (issuer, subject) alone whose account it is; no claim of an address links anything. */
export function outcomeOf(arrival: Arrival, terms: Terms): Outcome {
  const { person } = arrival;
  const { invited } = terms.pending;
  if (invited !== null && person?.userId !== invited.toLowerCase())
    return refused('account_not_linked', 'the account is not that of who was invited', uuidOf(invited));
  if (terms.pending.link !== null) return linkOutcome(arrival, terms.pending.link.userId);
  if (person !== null) return ofPerson('known', person);
  // Before groups are judged: this refusal says how to go on with the address.
  if (arrival.mailTaken) return refused('account_not_linked', 'address of a user, unknown subject');
  if (terms.newUsers !== 'oauth' && terms.newUsers !== 'both')
    return refused('registration_closed', `NEW_USERS is ${terms.newUsers}`);
  return newOutcome(arrival.memberships, terms.pending.tenant);
}

function linkOutcome({ person, linking, linkedOtherwise }: Arrival, userId: string): Outcome {
  if (linking === null) return refused('invalid_callback', 'the session to link from is over', userId);
  if (person !== null && person.userId !== userId)
    return refused('account_not_linked', 'the account is linked to another user', userId);
  if (linkedOtherwise) return refused('account_not_linked', 'the user has another account there', userId);
  return person === null ? ofPerson('link', linking) : ofPerson('known', person);
}

function ofPerson(kind: 'known' | 'link', person: Person): Outcome {
  if (person.active) return { kind, person };
  return refused('account_inactive', 'user or tenant not active', person.userId);
}

function newOutcome(memberships: readonly Membership[], named: string | null): Outcome {
  const [first] = memberships;
  if (first === undefined) return refused('no_tenant', 'no group stands for a tenant');
  const chosen = memberships.find(
    ({ slug, tenantId }) => slug === named || tenantId === named?.toLowerCase(),
  );
  const candidates = chosen === undefined ? memberships.filter(({ active }) => active) : [chosen];
  const [one, other] = candidates;
  if (one?.active !== true) return refused('account_inactive', 'tenant not active');
  if (other !== undefined) return refused('tenant_required', 'groups of several tenants');
  return { kind: 'new', tenant: one };
}

function refused(
  code: Extract<Outcome, { kind: 'refused' }>['code'],
  why: string,
  userId: string | null = null,
): Outcome {
  return { kind: 'refused', code, why, userId };
}
