/** Written by scripts/page-assets.mjs. */
export const HASHES = {
  'dashboard.css': 'a6d11924dc51',
  'dashboard.js': '0c31b46f4afd',
  'icon.svg': 'd3fc9e2eea83',
} as const;
