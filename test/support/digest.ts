import { createHash } from 'node:crypto';
import type { Digest } from '../../shared/ports/runtime.ts';

export const sha256: Digest = (text) => createHash('sha256').update(text).digest('base64');
