import { createHash } from 'node:crypto';
import { ownerOf } from '../../identity/subjects.ts';

/** A caller's keys in the store. */
export interface Names {
  readonly tag: string;
  readonly withdrawn: string;
  readonly restored: string;
}

/**
 * Callers are external text of any length, so keys hold a digest. The braces are Redis Cluster's hash tag: all keys
 * of one caller, its sessions' included, are on one node, as a script that reads two of them requires.
 */
export function namesOf(caller: string): Names {
  const owner = ownerOf(caller);
  const tag = `sallyport:{${digest(owner)}}`;
  const marks = owner === caller ? tag : `${tag}:session:${digest(caller)}`;
  return { tag, withdrawn: `${marks}:revoked`, restored: `${marks}:restored` };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
