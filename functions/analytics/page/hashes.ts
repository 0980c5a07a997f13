/** Written by scripts/page-assets.mjs. */
export const HASHES = {
  'dashboard.css': '4e2cb8e3744b',
  'dashboard.js': 'df49317f563f',
  'icon.svg': 'd3fc9e2eea83',
} as const;
