/** Written by scripts/page-assets.mjs. */
export const HASHES = {
  'dashboard.css': '29f9ff7270bb',
  'dashboard.js': '25423e6ce08a',
  'icon.svg': 'd3fc9e2eea83',
} as const;
