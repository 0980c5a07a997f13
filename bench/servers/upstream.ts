import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installed, startChild, type Child } from '../children.ts';
import type { Programs } from '../programs.ts';

/** What every upstream of the bench answers. */
export const ANSWER = JSON.stringify({
  ok: true,
  items: ['one', 'two', 'three'],
  note: 'about seventy bytes',
});

export interface Upstream extends Child {
  readonly url: string;
  readonly kind: 'nginx' | 'node';
}

/** nginx where there is one, because it takes the least of the processor that is measured; else a Node server. */
export async function startUpstream(port: number, folder: string, programs: Programs): Promise<Upstream> {
  const url = `http://127.0.0.1:${port}`;
  if (!installed('nginx')) {
    const child = await startChild(process.execPath, [programs.bareNode, 'answer', String(port), ANSWER], {
      port,
    });
    return { ...child, url, kind: 'node' };
  }
  const file = join(folder, 'nginx.conf');
  await writeFile(file, nginxConfig(port, folder));
  const args = ['-c', file, '-p', folder, '-e', join(folder, 'nginx-error.log')];
  return { ...(await startChild('nginx', args, { port })), url, kind: 'nginx' };
}

function nginxConfig(port: number, folder: string): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off; master_process off; worker_processes 1; pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  ${temp.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  server {
    listen 127.0.0.1:${port} reuseport;
    location / { default_type application/json; return 200 '${ANSWER}'; }
  }
}
`;
}
