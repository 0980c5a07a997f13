/** Names of variables whose values are secrets as a whole. */
const SECRET_NAME = /TOKEN|SECRET|PASSWORD|PRIVATE|MASTERKEY$|_KEYS?$/;
/** Shorter texts are words that any cause may have. */
const SHORTEST = 6;

/** Replaces every secret of the variables by `…`, whatever error of whatever service quotes it. */
export function redactor(variables: Readonly<Record<string, string | undefined>>): (text: string) => string {
  const secrets = Object.entries(variables).flatMap(([name, value = '']) => [
    ...(SECRET_NAME.test(name) ? [value, ...value.split(',')] : []),
    ...passwordIn(value),
  ]);
  const hidden = [...new Set(secrets)]
    .filter((secret) => secret.length >= SHORTEST)
    .toSorted((a, b) => b.length - a.length);
  return (text) => hidden.reduce((shown, secret) => shown.replaceAll(secret, '…'), text);
}

/** Of a URL, as it is written and decoded. */
function passwordIn(value: string): readonly string[] {
  if (!URL.canParse(value)) return [];
  const { password } = new URL(value);
  if (password === '') return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}
