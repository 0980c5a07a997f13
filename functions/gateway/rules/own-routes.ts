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
