import type { IncomingMessage } from 'node:http';

const PREVIEW_CHARS = 200;

export interface BodySummary {
  readonly bytes: number;
  /** The first 200 characters. */
  readonly preview: string;
}

/** Counts a body of any size and keeps no more of it than the preview needs. */
export async function summarize(request: IncomingMessage): Promise<BodySummary> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let preview = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (preview.length < PREVIEW_CHARS)
      preview += decoder.decode(chunk.subarray(0, PREVIEW_CHARS * 4), { stream: true });
  }
  return { bytes, preview: preview.slice(0, PREVIEW_CHARS) };
}
