/** Written by scripts/page-assets.mjs. */
export const HASHES = {
  'dashboard.css': '570876b955f7',
  'dashboard.js': '092ad9cba976',
  'icon.svg': 'd3fc9e2eea83',
} as const;
