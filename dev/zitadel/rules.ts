import { UserRefused } from './users.ts';

/** A request whose form Zitadel refuses; there is no identifier in that answer. */
export class FormRefused extends Error {
  override readonly name = 'FormRefused';
}

const HUMAN =
  'invalid CreateUserRequest.Human: embedded message failed validation | caused by: invalid CreateUserRequest_Human';

function lengthRule(field: string, text: string, within = ''): void {
  if (text.length >= 1 && Array.from(text).length <= 200) return;
  throw new FormRefused(`${within}invalid ${field}: value length must be between 1 and 200 runes, inclusive`);
}

export function mustBeId(field: string, text: string | undefined): void {
  if (text !== undefined) lengthRule(`CreateUserRequest.${field}`, text);
}

/** As Go's net/mail reads an address, with the host names of Zitadel's validation. */
export function mustBeMail(text: string): void {
  const within = `${HUMAN}.Email: embedded message failed validation | caused by: `;
  lengthRule('SetHumanEmail.Email', text, within);
  const fault = mailFault(text.trim());
  if (fault !== undefined)
    throw new FormRefused(
      `${within}invalid SetHumanEmail.Email: value must be a valid email address | caused by: ${fault}`,
    );
}

function mailFault(text: string): string | undefined {
  const [, local, domain] = /^("[^"]*"|[^@"]*)@(.*)$/.exec(text) ?? [];
  if (local === undefined || domain === undefined) return "mail: missing '@' or angle-addr";
  if (!local.startsWith('"') && /[\s(),:;<>[\]\\]/.test(local)) return 'mail: no angle-addr';
  const dots = /^\.|\.$|\.\./;
  if (local === '' || domain === '' || dots.test(local) || dots.test(domain) || domain.includes('@'))
    return "mail: missing '@' or angle-addr";
  if (Buffer.byteLength(local) > 64) return 'email address local phrase cannot exceed 64 characters';
  for (const part of domain.split('.')) {
    if (part.length > 63) return 'hostname part must be non-empty and cannot exceed 63 characters';
    if (part.startsWith('-')) return 'hostname parts cannot begin with hyphens';
    if (part.endsWith('-')) return 'hostname parts cannot end with hyphens';
    const odd = /[^A-Za-z0-9-]/.exec(part)?.[0];
    if (odd !== undefined)
      return `hostname parts can only contain alphanumeric characters or hyphens, got "${odd}"`;
  }
  return undefined;
}

export function mustBeName(field: 'GivenName' | 'FamilyName', text: string): void {
  const within = `${HUMAN}.Profile: embedded message failed validation | caused by: `;
  lengthRule(`SetHumanProfile.${field}`, text, within);
}

/** The hashes that a new instance verifies: bcrypt of costs 10 to 16. */
export function mustBeHash(hash: string): void {
  const cost = /^\$2[aby]?\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash)?.[1];
  if (cost === undefined) throw new UserRefused(400, 'Password is invalid', 'CRYPT-r8Qm2');
  if (Number(cost) < 10 || Number(cost) > 16)
    throw new UserRefused(400, 'Password is invalid', 'CRYPT-5uV9n');
}

const SHORTEST = 8;

export function mustBePassword(password: string): void {
  if (password.length < SHORTEST) throw new UserRefused(400, 'Password is too short', 'COMMA-HuJf6');
  const kinds: readonly (readonly [RegExp, string, string])[] = [
    [/[a-z]/, 'Password must contain lower case letters', 'COMMA-1I7Ma'],
    [/[A-Z]/, 'Password must contain upper case letters', 'COMMA-VoaRj'],
    [/\d/, 'Password must contain a number', 'COMMA-ZBv4H'],
    [/[^A-Za-z0-9]/, 'Password must contain a symbol', 'COMMA-ZDLwA'],
  ];
  const lacking = kinds.find(([kind]) => !kind.test(password));
  if (lacking !== undefined) throw new UserRefused(400, lacking[1], lacking[2]);
  mustFitBcrypt(password);
}

export function mustFitBcrypt(password: string): void {
  if (Buffer.byteLength(password) > 72)
    throw new UserRefused(500, 'bcrypt: password length exceeds 72 bytes', '');
}
