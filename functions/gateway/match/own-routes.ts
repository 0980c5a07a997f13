const OWN_ROUTES: ReadonlySet<string> = new Set([
  'health',
  'ready',
  'metrics',
  'forward-auth',
  'webhooks/zitadel',
  'webhooks/user-created',
  'webhooks/user-updated',
  'webhooks/user-deleted',
  '.well-known/sallyport/jwks.json',
]);

/** Most segments of any of them. */
const DEEPEST = Math.max(...[...OWN_ROUTES].map((path) => path.split('/').length));

/** Whether the bundle answers this path itself, before any rule. `segments`: decoded. */
export function isOwnRoute(segments: readonly string[]): boolean {
  return segments.length <= DEEPEST && OWN_ROUTES.has(segments.join('/'));
}

/** The same for a raw request target, before it is judged. In another spelling it is refused later: see forward/onward.ts. */
export function isOwnPath(target: string): boolean {
  const mark = target.indexOf('?');
  return OWN_ROUTES.has((mark < 0 ? target : target.slice(0, mark)).slice(1));
}
