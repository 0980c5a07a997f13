import type { StackVariables } from './stack.ts';

/**
 * Variables as a dotenv file whose values arrive unchanged: between single quotes or backticks nothing is special
 * but `$`, which wrangler expands.
 */
export function envFile(variables: StackVariables): string {
  return Object.entries(variables)
    .map(([name, value]) => {
      const quote = ["'", '`'].find((candidate) => !value.includes(candidate));
      if (quote === undefined)
        throw new Error(`${name} holds both kinds of quotes, which a variables file cannot carry`);
      return `${name}=${quote}${value.replaceAll('$', String.raw`\$`)}${quote}\n`;
    })
    .join('');
}
