/** Written by scripts/page-assets.mjs. */
export const HASHES = {
  'dashboard.css': 'cb8561345caa',
  'dashboard.js': 'df49317f563f',
  'icon.svg': 'd3fc9e2eea83',
} as const;
