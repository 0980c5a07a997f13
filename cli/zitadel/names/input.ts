/** What a person types, taken apart as Zitadel does it. */
export interface LoginInput {
  /** Without spaces around it, in its own case. */
  readonly text: string;
  /** In lower case. */
  readonly whole: string;
  /** In lower case, before the last `@`; the whole where there is none, or where it is the first or the last character. */
  readonly name: string;
  /** In lower case, after the last `@`; null where `name` is the whole. */
  readonly domain: string | null;
}

export function loginInput(typed: string): LoginInput {
  const text = typed.trim();
  const whole = text.toLowerCase();
  const at = whole.lastIndexOf('@');
  if (at <= 0 || at === whole.length - 1) return { text, whole, name: whole, domain: null };
  return { text, whole, name: whole.slice(0, at), domain: whole.slice(at + 1) };
}

/** What could be a phone number; Zitadel compares it as it is. */
export function looksLikePhone({ text }: LoginInput): boolean {
  return /^\+?[\d\s().-]{4,20}$/.test(text);
}
