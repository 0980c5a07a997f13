import { randomInt } from 'node:crypto';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;

/** A ULID, as OpenFGA names stores and models: 48 bits of time, 80 random bits. */
export function newUlid(now: number = Date.now()): string {
  let time = '';
  let rest = now;
  for (let position = 0; position < TIME_LENGTH; position += 1) {
    time = CROCKFORD.charAt(rest % CROCKFORD.length) + time;
    rest = Math.floor(rest / CROCKFORD.length);
  }
  const random = Array.from({ length: RANDOM_LENGTH }, () => CROCKFORD.charAt(randomInt(CROCKFORD.length)));
  return time + random.join('');
}
