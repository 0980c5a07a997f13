export function bundledTemplates(): string;
export const target: string;
