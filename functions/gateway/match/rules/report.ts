import { pointerTo, type JsonPath, type JsonText, type Position } from '../../../../shared/json.ts';
import type { Finding } from '../types.ts';

/** Collects findings, so that all of them are told at once. */
export class Report {
  readonly #json: JsonText;
  readonly #findings: Finding[] = [];

  constructor(json: JsonText) {
    this.#json = json;
  }

  /** `position`: only when it is not simply that of `path`. */
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
