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

/** Whether the bundle answers this path itself, before any rule. `segments`: decoded. */
export function isOwnRoute(segments: readonly string[]): boolean {
  return OWN_ROUTES.has(segments.join('/'));
}

/** The same for a raw request target, before it is judged: spelled in any other way it is no own route. */
export function isOwnPath(target: string): boolean {
  const mark = target.indexOf('?');
  return OWN_ROUTES.has((mark < 0 ? target : target.slice(0, mark)).slice(1));
}
