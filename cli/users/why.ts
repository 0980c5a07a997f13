import type { ProviderView, ShownRow } from './person.ts';

/** Why a right password is refused now. Empty: it is taken. `now`: milliseconds. */
export function passwordFaults(row: ShownRow, now: number): string[] {
  const { hash, auth_method, locked_until, deadline, deadline_passed } = row;
  const none = hash === null || hash === '';
  return [
    ...accountFaults(row),
    ...(auth_method === 'kanidm' ? ['signs in by the provider alone (auth_method kanidm)'] : []),
    ...(none ? ['has no password'] : []),
    ...(none || VERIFIABLE.test(hash) ? [] : ['the hash of the password is of no kind that can be checked']),
    ...(locked_until !== null && locked_until.getTime() > now
      ? [`locked until ${locked_until.toISOString()} after failed tries`]
      : []),
    ...(deadline_passed ? [`the deadline has passed (${deadline?.toISOString() ?? ''})`] : []),
  ];
}

/** As sign-in takes them: functions/auth/password/hashes.ts. */
const VERIFIABLE = /^\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$/;

function accountFaults(row: ShownRow): string[] {
  return [
    ...(row.deleted_at === null ? [] : ['the user is deleted']),
    ...(row.status === 'active' ? [] : [`the user is ${row.status}`]),
    ...(row.tenant_deleted ? ['the tenant is deleted'] : []),
    ...(row.tenant_status === 'active' ? [] : [`the tenant is ${row.tenant_status}`]),
  ];
}

/** Why a sign-in at the provider does not lead here now, as far as both sides show it. */
export function providerFaults(row: ShownRow, linked: boolean, view: ProviderView): string[] {
  return [
    ...accountFaults(row),
    ...(linked
      ? []
      : ['no account of the provider is linked: `sallyport users provision`, or a first sign-in there']),
    ...viewFaults(view),
  ];
}

function viewFaults(view: ProviderView): string[] {
  switch (view.state) {
    case 'not configured':
      return ['no provider is configured here'];
    case 'unknown':
      return [`${view.provider} does not answer: ${view.reason}`];
    case 'absent':
      return [`${view.provider} has no such account`];
    case 'found':
      return [
        ...(view.account.state === 'active' ? [] : ['the account is disabled at the provider']),
        ...(view.account.groups.length === 0 ? ['the account is in no group of a tenant'] : []),
        ...(view.credentials?.length === 0 ? ['no credential is set at the provider yet'] : []),
      ];
  }
}
