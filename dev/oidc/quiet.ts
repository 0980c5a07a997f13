/**
 * oidc-provider advises on the console how to run it in production; over a demo that advice would only worry people.
 * Everything else that is said meanwhile passes.
 */
export async function withoutAdvice<T>(work: () => Promise<T>): Promise<T> {
  const { warn, info } = console;
  console.warn = (...said: unknown[]) => {
    if (!isAdvice(said[0])) warn(...said);
  };
  console.info = (...said: unknown[]) => {
    if (!isAdvice(said[0])) info(...said);
  };
  try {
    return await work();
  } finally {
    console.warn = warn;
    console.info = info;
  }
}

function isAdvice(text: unknown): boolean {
  return typeof text === 'string' && text.includes('oidc-provider ');
}
