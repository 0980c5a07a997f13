import { createHash } from 'node:crypto';
import type { Runtime } from '../../../../shared/configuration/slice.ts';
import type { OwnPaths } from '../../../../shared/edge/function.ts';
import type { RatePolicy } from '../../../../shared/ports/counters.ts';
import { distance } from '../../../../shared/nearest.ts';
import { parseRate } from '../../../../shared/counting/rate.ts';
import { demandsOf } from './claims.ts';
import { lackOf, type HeldModel } from './model.ts';
import { parseFeature, parseObject } from './object.ts';
import type { Entry } from './parse.ts';
import { parsePattern } from '../pattern.ts';
import type { Report } from './parse.ts';
import { parseStripPrefix } from '../pattern.ts';
import { placesOf } from './claims.ts';
import type { Access, PathSegment, RelationAccess, Rule, TenantDemand } from '../types.ts';

const DEFAULT_ACTION = 'viewer';

/** What rules may refer to. */
export interface RuleContext {
  readonly targets: ReadonlySet<string>;
  /** Paths answered before any rule; absent: none. */
  readonly own?: OwnPaths;
  /** Where the rules are to serve; absent: anywhere. */
  readonly runtime?: Runtime;
  /** The model of OpenFGA's checks; absent: types and relations are not checked. */
  readonly model?: HeldModel;
}

/** Compiles an entry. Returns undefined when it is unusable; the reason is in the report. */
export function toRule(entry: Entry, context: RuleContext, report: Report): Rule | undefined {
  const { index, definition } = entry;
  const { path, method } = definition;
  const target = definition.target ?? 'upstream';
  checkTarget(entry, target, context, report);
  const rateLimit = rateOf(entry, report);
  const access = accessOf(entry, report);
  checkEffects(entry, access, context, report);
  if (access?.kind === 'relation') holdAgainstModel(entry, access, context, report);
  const segments = path === undefined ? undefined : segmentsOf(index, path, report);
  if (path === undefined || segments === undefined) return undefined;
  checkParameters(entry, segments, report);
  checkTenant(entry, segments, report);
  const stripPrefix = stripOf(entry, segments, report);
  if (access === undefined || method === undefined) return undefined;
  return {
    index,
    path,
    segments,
    methods: methodsOf(method),
    access,
    claims: definition.claims && demandsOf(definition.claims),
    tenant: tenantOf(definition.tenant),
    token: placesOf(definition.token),
    target,
    rateLimit,
    timeoutMs: definition.timeout_ms,
    stripPrefix,
    mode: definition.mode ?? 'enforce',
    forwardAuthorization: definition.forward_authorization ?? true,
    preserveHost: definition.preserve_host ?? false,
  };
}

const HOST_STAYS = 'preserve_host has no effect on Workers: their fetch always sends the host of the target';
const NOT_FORWARDED =
  'forward_authorization has no effect: token names neither header nor a cookie, and nothing else is forwarded';

/** Warns of fields without effect; an explicit default is no fault. */
function checkEffects(
  { index, definition }: Entry,
  access: Access | undefined,
  { runtime }: RuleContext,
  report: Report,
): void {
  const { action = DEFAULT_ACTION, token, forward_authorization: forwards } = definition;
  if (definition.preserve_host === true && runtime === 'workers')
    report.warning('no_effect', [index, 'preserve_host'], HOST_STAYS);
  if (access === undefined) return;
  if (access.kind !== 'relation' && action !== DEFAULT_ACTION) {
    const who =
      access.kind === 'public' ? 'anyone' : `any valid token${definition.claims ? ' with the claims' : ''}`;
    const message = `action "${action}" has no effect, ${who} passes: a relation is asked for only beside a named feature or an object`;
    report.warning('no_effect', [index, 'action'], message);
  }
  const forwardable = token?.some((place) => place === 'header' || place.startsWith('cookie:')) ?? true;
  if (access.kind !== 'public' && forwards === true && !forwardable)
    report.warning('no_effect', [index, 'forward_authorization'], NOT_FORWARDED);
}

function checkTarget({ index }: Entry, target: string, context: RuleContext, report: Report): void {
  if (context.targets.has(target)) return;
  const names = [...context.targets].sort().join(', ');
  report.error(
    'unknown_target',
    [index, 'target'],
    `target "${target}" is not configured; configured are ${names}`,
  );
}

function methodsOf(method: string | readonly string[]): '*' | readonly string[] {
  if (typeof method !== 'string') return [...new Set(method)];
  return method === '*' ? '*' : [method];
}

function segmentsOf(index: number, path: string, report: Report): readonly PathSegment[] | undefined {
  const pattern = parsePattern(path);
  if (pattern.ok) return pattern.segments;
  report.error('invalid_path', [index, 'path'], `path: ${pattern.problem}`);
  return undefined;
}

function accessOf({ index, definition, faulty }: Entry, report: Report): Access | undefined {
  const { feature, object } = definition;
  if (feature !== undefined && object !== undefined) {
    report.error('ambiguous_access', [index, 'object'], 'a rule has either feature or object');
    return undefined;
  }
  if (feature === 'public_access') {
    const demand = (['claims', 'tenant'] as const).find((field) => definition[field] !== undefined);
    if (demand !== undefined) {
      const needs = demand === 'claims' ? 'claims need' : 'tenant needs';
      report.error('ambiguous_access', [index, demand], `${needs} a token, and public_access asks for none`);
      return undefined;
    }
    return { kind: 'public' };
  }
  if (feature === 'authenticated') return { kind: 'authenticated' };
  const field = feature === undefined ? 'object' : 'feature';
  const text = feature ?? object;
  if (text === undefined) {
    if (['feature', 'object', 'claims', 'tenant'].some((name) => faulty.has(name))) return undefined;
    if (definition.claims !== undefined || definition.tenant !== undefined) return { kind: 'authenticated' };
    const message =
      'who may pass is not said: add feature (or public_access, authenticated), object, claims or tenant';
    report.error('missing_access', [index], message);
    return undefined;
  }
  const meant = field === 'feature' ? meantWord(text) : undefined;
  if (meant !== undefined) {
    const message = `feature: "${text}" looks like ${meant}; if it is a feature of that name, write it as object: "feature:…"`;
    report.error('invalid_feature', [index, 'feature'], message);
    return undefined;
  }
  const parsed = field === 'feature' ? parseFeature(text) : parseObject(text);
  if (parsed.ok)
    return { kind: 'relation', relation: definition.action ?? DEFAULT_ACTION, object: parsed.object };
  report.error(`invalid_${field}`, [index, field], `${field}: ${parsed.problem}`);
  return undefined;
}

const WORDS = ['public_access', 'authenticated'];

/**
 * The keyword that a feature misspells. Two edits only where first and last letter are right: `authenticator` may be a
 * feature.
 */
function meantWord(feature: string): string | undefined {
  const bare = feature.replace(/^feature:/, '');
  if (WORDS.includes(bare)) return undefined;
  const plain = bare.toLowerCase().replace(/[^a-z0-9]/g, '');
  return WORDS.find((word) => {
    const target = word.replace('_', '');
    const away = distance(plain, target);
    return away <= 1 || (away === 2 && plain[0] === target[0] && plain.at(-1) === target.at(-1));
  });
}

function holdAgainstModel(
  { index, definition }: Entry,
  access: RelationAccess,
  { model }: RuleContext,
  report: Report,
): void {
  const lack = model && lackOf(access, model);
  if (lack === undefined) return;
  const named = definition.feature === undefined ? 'object' : 'feature';
  const field = lack.of === 'relation' && definition.action !== undefined ? 'action' : named;
  report.error(`unknown_${lack.of}`, [index, field], `${field}: ${lack.message}`);
}

function tenantOf(written: string | undefined): TenantDemand | undefined {
  if (written === undefined) return undefined;
  return written === 'required' ? { kind: 'any' } : { kind: 'param', name: written.slice(1, -1) };
}

/** The rest of a path has slashes, and no name of a tenant is made of several segments. */
function checkTenant({ index, definition }: Entry, segments: readonly PathSegment[], report: Report): void {
  const demand = tenantOf(definition.tenant);
  if (demand?.kind !== 'param') return;
  const { name } = demand;
  const named = segments.find((segment) => segment.kind !== 'literal' && segment.name === name);
  if (named?.kind === 'param') return;
  if (named === undefined)
    report.error('unknown_parameter', [index, 'tenant'], `tenant: the path has no parameter "${name}"`);
  else
    report.error(
      'invalid_value',
      [index, 'tenant'],
      `tenant: *${name} is the rest of the path; a tenant is one segment, :${name}`,
    );
}

function checkParameters(
  { index, definition }: Entry,
  segments: readonly PathSegment[],
  report: Report,
): void {
  if (definition.object === undefined) return;
  const parsed = parseObject(definition.object);
  if (!parsed.ok) return;
  const names = new Set(segments.flatMap((segment) => (segment.kind === 'literal' ? [] : [segment.name])));
  for (const name of new Set(parsed.names)) {
    if (names.has(name)) continue;
    const message = `object: the path has no parameter "${name}"`;
    report.error('unknown_parameter', [index, 'object'], message);
  }
}

function stripOf(
  { index, definition }: Entry,
  segments: readonly PathSegment[],
  report: Report,
): string | undefined {
  if (definition.strip_prefix === undefined) return undefined;
  const parsed = parseStripPrefix(definition.strip_prefix, segments);
  if (parsed.ok) return parsed.prefix;
  report.error('invalid_strip_prefix', [index, 'strip_prefix'], `strip_prefix: ${parsed.problem}`);
  return undefined;
}

function rateOf({ index, definition }: Entry, report: Report): RatePolicy | undefined {
  if (definition.rate_limit === undefined) return undefined;
  const policy = parseRate(definition.rate_limit, policyName(definition));
  if (policy !== undefined) return policy;
  const message = 'rate_limit: write requests and a window of at most 24 hours, as in 100/60s';
  report.error('invalid_value', [index, 'rate_limit'], message);
  return undefined;
}

/** Independent of the rule's place in the file; changes with the rate: one name for one rate. */
function policyName({ path, method, rate_limit: rate }: Entry['definition']): string {
  const methods = [method].flat().toSorted();
  const digest = createHash('sha256').update(JSON.stringify([path, methods, rate]));
  return `rule-${digest.digest('hex').slice(0, 8)}`;
}
