import type { RelationsUnavailable } from '../../shared/errors.ts';
import { environment } from '../terminal.ts';

/** What happened, at which host, and why OpenFGA refused what was sent. Never the token, nor anything else of the URL. */
export function openFgaFailure({ message, cause }: RelationsUnavailable): string {
  const url = environment['OPENFGA_URL'] ?? '';
  const where = URL.canParse(url) ? ` (OPENFGA_URL leads to ${new URL(url).host})` : '';
  return `${message}${where}${cause instanceof Error ? `: ${onOneLine(cause.message)}` : ''}`;
}

/** It quotes what came out of a file: nothing of that may steer the terminal. */
function onOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500);
}
