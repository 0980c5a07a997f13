import { env } from 'cloudflare:workers';

interface Files {
  fetch(url: string): Promise<Response>;
}

function isFiles(binding: unknown): binding is Files {
  return typeof binding === 'object' && binding !== null && 'fetch' in binding;
}

/** From the binding ASSETS of wrangler.toml. Throws where it is absent, or has no such file. */
export async function workerAsset(name: string): Promise<Uint8Array> {
  const files = env['ASSETS'];
  if (!isFiles(files)) throw new Error('there is no binding ASSETS');
  // The host is of no meaning: the binding takes paths.
  const answer = await files.fetch(`https://assets.invalid/${name}`);
  if (!answer.ok) throw new Error(`ASSETS answered ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}
