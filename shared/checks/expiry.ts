import type { Certificate } from '../ports/certificates.ts';
import { green, red, worst, yellow, type Finding } from './check.ts';
import type { Credential } from '../zitadel/credentials.ts';

const DAY_MS = 86_400_000;

/** Service accounts' tokens are to be made anew within this time. */
export const TOKEN_DAYS = 90;
/** A token that runs out within these days ends what uses it soon. */
const TOKEN_ENDS_SOON = 14;
const TOKEN_ENDS_NOW = 3;

/** By age and end; a token that has run out harms nobody. Ids and days, no names. */
export function judgeTokens(tokens: readonly Credential[], now: number): Finding {
  const days = (ms: number): number => Math.floor(ms / DAY_MS);
  const alive = tokens.filter(({ expires }) => expires === null || expires.getTime() > now);
  const found = alive.map(({ id, userId, created, expires }): Finding => {
    const age = created === null ? 0 : days(now - created.getTime());
    const left = expires === null ? Infinity : days(expires.getTime() - now);
    const which = `token ${id} of account ${userId}`;
    if (left < TOKEN_ENDS_NOW) return red(`${which} runs out in ${left} days`, ROTATE);
    if (age >= TOKEN_DAYS) return red(`${which} is ${age} days old`, ROTATE);
    if (left < TOKEN_ENDS_SOON) return yellow(`${which} runs out in ${left} days`, ROTATE);
    if (age >= TOKEN_DAYS - TOKEN_ENDS_SOON) return yellow(`${which} is ${age} days old`, ROTATE);
    return green(`${alive.length} personal access tokens, none older than ${TOKEN_DAYS} days`);
  });
  return found.length === 0 ? green('there is no personal access token that is valid') : worst(found, '');
}

const ROTATE = `sallyport zitadel tokens rotate --older-than ${TOKEN_DAYS}d --out FILE`;

/** Certificates for 90 days are renewed with 30 left: with fewer than 21 the renewal has failed. */
const CERTIFICATE_SOON = 21;
const CERTIFICATE_NOW = 7;

export function judgeCertificate(host: string, certificate: Certificate, now: number): Finding {
  const { validTo, fault } = certificate;
  if (fault !== undefined) return red(`${host}: ${fault}`);
  const left = Math.floor((validTo.getTime() - now) / DAY_MS);
  const cause = `${host}: its certificate runs out in ${left} days`;
  if (left < CERTIFICATE_NOW) return red(cause);
  return left < CERTIFICATE_SOON ? yellow(cause) : green(`${host}: valid for ${left} days`);
}
