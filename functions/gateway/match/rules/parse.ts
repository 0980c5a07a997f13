import type { z } from 'zod';
import {
  REQUIRED_FIELDS,
  RULE_FIELDS,
  partialDefinition,
  ruleDefinition,
  type PartialDefinition,
} from './definition.ts';
import { pointerTo, readJson, type JsonPath, type JsonText, type Position } from '../../../../shared/json.ts';
import type { Finding } from '../types.ts';

export interface Entry {
  readonly index: number;
  /** Without the faulty fields: the other fields are still checked. */
  readonly definition: PartialDefinition;
  /** Fields already reported. */
  readonly faulty: ReadonlySet<string>;
}

export type ParsedRules =
  | { readonly ok: true; readonly entries: readonly Entry[]; readonly report: Report }
  | { readonly ok: false; readonly findings: readonly Finding[] };

const NONE: ReadonlySet<string> = new Set();

/**
 * Parses the entries of a rules file; the report holds every malformed field.
 * Comments and trailing commas are refused (RFC 8259).
 */
export function parseRules(source: string): ParsedRules {
  const read = readJson(source);
  if (!read.ok) {
    const message = `not JSON: ${read.problem}`;
    return {
      ok: false,
      findings: [{ severity: 'error', code: 'invalid_json', message, ...read.position, pointer: '' }],
    };
  }
  const { json } = read;
  const report = new Report(json);
  for (const { path, position } of json.duplicates) {
    report.error('duplicate_field', path, 'written twice in one object', position);
  }
  if (!Array.isArray(json.value)) {
    report.error('not_a_list', [], 'a rules file is a JSON array of rules');
    return { ok: false, findings: report.findings };
  }
  const values: readonly unknown[] = json.value;
  const entries = values.flatMap((value, index) => parseEntry(value, index, report) ?? []);
  return { ok: true, entries, report };
}

function parseEntry(value: unknown, index: number, report: Report): Entry | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    report.error('invalid_value', [index], 'a rule is a JSON object');
    return undefined;
  }
  if ('claims' in value && namesPrototype(value.claims)) {
    report.error('invalid_value', [index, 'claims', '__proto__'], 'claims: no claim is named __proto__');
    return undefined;
  }
  const whole = ruleDefinition.safeParse(value);
  if (whole.success) return { index, definition: whole.data, faulty: NONE };
  for (const issue of oneForEach(whole.error.issues)) reportIssue(issue, value, index, report);
  const faulty = new Set(whole.error.issues.flatMap(fieldsOf));
  const sound = Object.entries(value).filter(([name]) => !faulty.has(name));
  return { index, definition: partialDefinition.parse(Object.fromEntries(sound)), faulty };
}

/** One issue per path: the first, and none for a list or an object with an issue within. */
function oneForEach(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  return issues.filter(({ path }, at) =>
    issues.every((other, place) => {
      const within = path.every((step, depth) => other.path[depth] === step);
      return !within || (other.path.length === path.length ? place >= at : path.length === 0);
    }),
  );
}

/** zod drops this member of a record: its demand would be lost silently. */
function namesPrototype(claims: unknown): boolean {
  return typeof claims === 'object' && claims !== null && Object.hasOwn(claims, '__proto__');
}

function fieldsOf(issue: z.core.$ZodIssue): string[] {
  return issue.code === 'unrecognized_keys' ? issue.keys : [String(issue.path[0])];
}

function reportIssue(issue: z.core.$ZodIssue, value: object, index: number, report: Report): void {
  if (issue.code === 'unrecognized_keys') {
    const fields = RULE_FIELDS.join(', ');
    for (const key of issue.keys) {
      report.error(
        'unknown_field',
        [index, key],
        `unknown field ${JSON.stringify(key)}; known are ${fields}`,
      );
    }
    return;
  }
  const field = String(issue.path[0]);
  if (REQUIRED_FIELDS.includes(field) && !Object.hasOwn(value, field)) {
    report.error('missing_field', [index], `${field} is missing: ${issue.message}`);
    return;
  }
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const named = path.filter((step) => typeof step === 'string' && step !== '').join('.');
  report.error('invalid_value', [index, ...path], `${named}: ${issue.message}`);
}

/** Collects findings, so that all are reported at once. */
export class Report {
  readonly #json: JsonText;
  readonly #findings: Finding[] = [];

  constructor(json: JsonText) {
    this.#json = json;
  }

  /** `position`: where it differs from that of `path`. */
  error(code: string, path: JsonPath, message: string, position?: Position): void {
    this.#add('error', code, path, message, position);
  }

  warning(code: string, path: JsonPath, message: string): void {
    this.#add('warning', code, path, message);
  }

  note(code: string, path: JsonPath, message: string): void {
    this.#add('note', code, path, message);
  }

  get failed(): boolean {
    return this.#findings.some((finding) => finding.severity === 'error');
  }

  /** In the order of the text. */
  get findings(): readonly Finding[] {
    return this.#findings.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  #add(
    severity: Finding['severity'],
    code: string,
    path: JsonPath,
    message: string,
    position?: Position,
  ): void {
    const { line, column } = position ?? this.#json.locate(path);
    this.#findings.push({ severity, code, message, line, column, pointer: pointerTo(path) });
  }
}
