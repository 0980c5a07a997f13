import type { Report } from './report.ts';
import { parseStripPrefix } from '../pattern.ts';
import type { PathSegment, Rule } from '../types.ts';

/** Management interfaces of Zitadel 2 to 4: the first segments of their paths, and what they govern. */
const MANAGEMENT: readonly { readonly segments: readonly string[]; readonly governs: string }[] = [
  { segments: ['management'], governs: 'users, projects and grants of an organisation' },
  { segments: ['admin'], governs: 'the whole instance, export of all users included' },
  { segments: ['system'], governs: 'every instance of the installation' },
  { segments: ['auth', 'v1'], governs: "the caller's own account and credentials" },
  { segments: ['v2'], governs: 'users, sessions, settings and actions' },
  { segments: ['v2beta'], governs: 'users, sessions, settings and actions' },
  { segments: ['resources'], governs: 'users and their schemas' },
  { segments: ['scim'], governs: 'provisioning of users' },
];

/** Zitadel's gRPC and Connect services: `/zitadel.user.v2.UserService/…`. */
const SERVICES = 'zitadel.';

/** Warns of a rule that opens the authorization server or the identity provider's management to more than the few. */
export function adviseOnExposure(rule: Rule, report: Report): void {
  const place = [rule.index, rule.target === 'upstream' ? 'path' : 'target'];
  const who = audience(rule);
  if (who === undefined) return;
  if (rule.target === 'openfga') {
    const what = 'read and write relationship tuples, models and stores, and so grant itself every relation';
    report.warning('openfga_exposed', place, `${rule.path} lets ${who} ${what}`);
    return;
  }
  if (rule.target !== 'zitadel' || rule.access.kind !== 'public') return;
  const exposed = managementWithin(forwarded(rule));
  if (exposed.length === 0) return;
  const what = `reach Zitadel's management (${exposed.join('; ')}), guarded by nothing but the token it may carry`;
  report.warning('management_exposed', place, `${rule.path} lets ${who} ${what}`);
}

function audience(rule: Rule): string | undefined {
  if (rule.access.kind === 'public') return 'anyone';
  const unasked = rule.access.kind === 'authenticated' && rule.claims === undefined;
  const open = unasked || rule.mode === 'shadow';
  return open ? 'any holder of a valid token' : undefined;
}

/** What the target gets to see of the path. */
function forwarded(rule: Rule): readonly PathSegment[] {
  if (rule.stripPrefix === undefined) return rule.segments;
  const parsed = parseStripPrefix(rule.stripPrefix, rule.segments);
  return parsed.ok ? rule.segments.slice(parsed.length) : rule.segments;
}

function managementWithin(path: readonly PathSegment[]): string[] {
  const exposed = MANAGEMENT.filter(({ segments }) => reaches(path, segments)).map(
    ({ segments, governs }) => `/${segments.join('/')}/: ${governs}`,
  );
  const first = path[0];
  if (first !== undefined && (first.kind !== 'literal' || first.value.startsWith(SERVICES))) {
    exposed.push(`/${SERVICES}…: the same over gRPC and Connect`);
  }
  return exposed;
}

function reaches(path: readonly PathSegment[], prefix: readonly string[]): boolean {
  for (const [at, wanted] of prefix.entries()) {
    const segment = path[at];
    if (segment === undefined) return false;
    if (segment.kind === 'rest') return true;
    if (segment.kind === 'literal' && segment.value !== wanted) return false;
  }
  return true;
}
