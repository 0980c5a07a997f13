import { base64url } from 'jose';

/** RFC 7518 §3.3. */
const MIN_BITS = 2048;
/** The cost of verifying grows with its square; OpenSSL has the same limit. */
const MAX_BITS = 16_384;
/** No product of two large primes has such a divisor. */
const SMALL_PRIMES = primesBelow(168);
/**
 * CVE-2017-15361: Infineon's library made primes of the form k * M + (65537^a mod M), M a product of the smallest
 * primes. So modulo each of these a modulus is a power of 65537, which others are by chance once in 2^27.
 */
const POWERS = SMALL_PRIMES.map((prime) => ({ prime: BigInt(prime), powers: powersOf65537(prime) }));

/** Why an RSA key must not be used to verify; undefined when no weakness is found. Both are base64url. */
export function weaknessOf(modulus: string, exponent: string): string | undefined {
  const n = toBigInt(modulus);
  const e = toBigInt(exponent);
  if (n === undefined || e === undefined) return 'is not well-formed';
  const bits = n.toString(2).length;
  if (bits < MIN_BITS) return `is an RSA key of ${bits} bits; at least ${MIN_BITS} are needed`;
  if (bits > MAX_BITS) return `is an RSA key of ${bits} bits; at most ${MAX_BITS} are taken`;
  // With the exponent 1 every signature is its own message.
  if (e < 3n || e % 2n === 0n) return 'has an RSA exponent that signs nothing';
  if (n % 2n === 0n || SMALL_PRIMES.some((prime) => n % BigInt(prime) === 0n))
    return 'has an RSA modulus with a small factor';
  if (POWERS.every(({ prime, powers }) => powers.has(Number(n % prime))))
    return 'is an RSA key that can be factored (CVE-2017-15361, ROCA)';
  return undefined;
}

function toBigInt(text: string): bigint | undefined {
  try {
    const hex = Array.from(base64url.decode(text), (byte) => byte.toString(16).padStart(2, '0')).join('');
    return BigInt(`0x${hex || '0'}`);
  } catch {
    return undefined;
  }
}

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power);
  return powers;
}

/** Odd primes only. */
function primesBelow(bound: number): number[] {
  const found: number[] = [];
  for (let candidate = 3; candidate < bound; candidate += 2)
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  return found;
}
