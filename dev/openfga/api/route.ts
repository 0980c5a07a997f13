import { FgaError } from '../errors.ts';

/** One request, taken apart: what the path and the query name, and the body. */
export interface Call {
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Reply =
  | { readonly status: number; readonly body: object }
  | { readonly status: 204 }
  | { readonly status: 200; readonly lines: readonly object[] };

export interface Endpoint {
  readonly method: string;
  /** Segments; `{name}` takes any one segment. */
  readonly pattern: string;
  readonly open?: boolean;
  readonly handle: (call: Call) => Reply;
}

interface Match {
  readonly endpoint: Endpoint;
  readonly path: Readonly<Record<string, string>>;
}

export function match(endpoints: readonly Endpoint[], method: string, pathname: string): Match {
  const matches = endpoints.flatMap((endpoint) => {
    const path = matchPath(endpoint.pattern, pathname);
    return path === undefined ? [] : [{ endpoint, path }];
  });
  if (matches.length === 0) throw new FgaError('undefined_endpoint', 'Not Found');
  const found = matches.find(({ endpoint }) => endpoint.method === method);
  if (found === undefined) throw new FgaError('unimplemented', 'Method Not Allowed');
  return found;
}

function matchPath(pattern: string, pathname: string): Record<string, string> | undefined {
  const expected = pattern.split('/');
  const actual = pathname.split('/');
  if (expected.length !== actual.length) return undefined;
  const path: Record<string, string> = {};
  for (const [index, segment] of expected.entries()) {
    const value = actual[index] ?? '';
    const name = /^\{(.+)\}$/.exec(segment)?.[1];
    if (name !== undefined) path[name] = value;
    else if (segment !== value) return undefined;
  }
  return path;
}
