import type { NewPerson } from '../../ports/directory.ts';

const LONGEST = 200;
const LONGEST_LOCAL = 64;
/** Atoms between dots (RFC 5322 §3.2.3), beyond ASCII too; white space, which quotes would allow, fits no sign-in. */
const LOCAL = /^(?:"[^"\\\s@]+"|[^\s"(),:;<>@[\]\\.]+(?:\.[^\s"(),:;<>@[\]\\.]+)*)$/;
const HOST_PART = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** Why Zitadel will not take a person: addresses as it checks them, by Go's net/mail and rules for host names. */
export function zitadelRefusal({ mail }: Pick<NewPerson, 'mail'>): string | undefined {
  const at = mail.lastIndexOf('@');
  const [local, host] = [mail.slice(0, Math.max(at, 0)), mail.slice(at + 1)];
  const fits =
    Array.from(mail).length <= LONGEST &&
    Buffer.byteLength(local) <= LONGEST_LOCAL &&
    LOCAL.test(local) &&
    host.split('.').every((part) => HOST_PART.test(part));
  return fits ? undefined : 'Zitadel does not take this address';
}
