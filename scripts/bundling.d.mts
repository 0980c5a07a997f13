import type { BuildOptions, Plugin } from 'esbuild';

export const BUNDLING: BuildOptions;
export const COMMANDS: BuildOptions;
export const LAZY_PACKAGES: Plugin;
