import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import * as z from 'zod';
import { parseSigningKeys } from '../shared/keys/signing-keys.ts';
import { Failure } from './failure.ts';
import { missing } from './variables.ts';
import { readText, wholeNumber } from './input.ts';
import { withExamples } from './help.ts';
import { environment, print } from './terminal.ts';
import { messageOf } from '../shared/errors.ts';

const keySet = z.object({ keys: z.array(z.looseObject({ kid: z.string() })) });

/** A private JWK set (RFC 7517). */
type KeySet = z.output<typeof keySet>;

interface GenerateOptions {
  readonly add?: string | true;
  readonly keep: number;
}

export function registerKeys(program: Command): void {
  const keys = withExamples(program.command('keys').description('Keys that sign X-Gateway-Assertion.'), [
    ['sallyport keys generate', 'a private JWK set on one line'],
  ]);
  withExamples(
    keys
      .command('generate')
      .description('Print a private JWK set (ES256) for ASSERTION_KEYS, on one line. It is a secret.')
      .option('--add [file]', 'put the new key before those of a file (- is stdin; default: ASSERTION_KEYS)')
      .option(
        '--keep <count>',
        'with --add: how many keys to print at most, newest first',
        wholeNumber(1, 999),
        2,
      )
      .action(async ({ add, keep }: GenerateOptions) => {
        const existing = add === undefined ? undefined : parseKeys(await readKeys(add));
        print(JSON.stringify(rotate(await generateKeys(), existing, keep)));
      }),
    [
      ['export ASSERTION_KEYS="$(sallyport keys generate)"', 'a first key'],
      [
        'export ASSERTION_KEYS="$(sallyport keys generate --add)"',
        'a new one signs, the old one stays published',
      ],
    ],
  );
}

export async function generateKeys(): Promise<KeySet> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  return { keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] };
}

/** The first key signs, all are published: assertions signed just before still verify. */
export function rotate(fresh: KeySet, existing: KeySet | undefined, keep: number): KeySet {
  return { keys: [...fresh.keys, ...(existing?.keys ?? [])].slice(0, keep) };
}

/** Throws Failure for keys that the gateway would refuse; it never quotes the text, which holds private keys. */
export function parseKeys(source: string): KeySet {
  try {
    parseSigningKeys(source);
  } catch (error) {
    throw new Failure(`the existing keys cannot be used: ${messageOf(error)}`, { cause: error });
  }
  return keySet.parse(JSON.parse(source));
}

async function readKeys(from: string | true): Promise<string> {
  if (from === '-') return text(process.stdin);
  if (from !== true) return readText(from);
  const existing = environment['ASSERTION_KEYS'] ?? '';
  if (existing === '') throw missing('ASSERTION_KEYS', '--add without a file takes the keys from there');
  return existing;
}
