/** Written by scripts/page-assets.mjs. */
export const HASHES = {
  'dashboard.css': '9135f2394740',
  'dashboard.js': '0c31b46f4afd',
  'icon.svg': 'd3fc9e2eea83',
} as const;
