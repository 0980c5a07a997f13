import type { KeyRing } from '../sessions/keys.ts';
import type { Seal } from './outbox.ts';

const USE = 'mail';

/** By SESSION_KEYS; null without them. */
export function sealBy(keyRing: KeyRing | null): Seal | null {
  if (keyRing === null) return null;
  return {
    seal: async (text) => (await keyRing.current()).seal(text, USE),
    open: async (sealed) => (await keyRing.current()).open(sealed, USE),
  };
}
