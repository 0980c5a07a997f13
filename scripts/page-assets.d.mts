export function assetNames(): string;
export function writeAssetNames(): void;
export const target: string;
