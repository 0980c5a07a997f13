export function bundledTemplates(): string;
export function writeTemplates(): void;
export const target: string;
