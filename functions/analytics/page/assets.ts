import type { OwnRoute } from '../../../shared/edge/frame.ts';
import { Refusal } from '../../../shared/errors.ts';
import type { Platform } from '../../../shared/ports/platform.ts';
import { HASHES } from './hashes.ts';

type Asset = keyof typeof HASHES;

const PREFIX = '/analytics/assets/';

/** Where an asset is fetched from: it changes with its content, so that browsers keep it. */
export function assetPath(name: Asset): string {
  const dot = name.lastIndexOf('.');
  return `${PREFIX}${name.slice(0, dot)}-${HASHES[name]}${name.slice(dot)}`;
}

const TYPES: Readonly<Record<Asset, string>> = {
  'dashboard.css': 'text/css; charset=utf-8',
  'dashboard.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};

const ASSETS = new Map(
  (['dashboard.css', 'dashboard.js', 'icon.svg'] as const).map((name) => [assetPath(name), name]),
);

/** For everybody: assets are the same for all, and the page of sign-in needs them. */
export function assetsRoute(platform: Pick<Platform, 'asset'>): OwnRoute {
  return {
    path: PREFIX,
    methods: ['GET'],
    quota: 'coarse',
    async answer({ url }) {
      const name = ASSETS.get(new URL(url).pathname);
      if (name === undefined) throw new Refusal('not_found', 'no such asset, or one of another release');
      return new Response(await platform.asset(name), {
        headers: {
          'content-type': TYPES[name],
          'cache-control': 'public, max-age=31536000, immutable',
          'x-content-type-options': 'nosniff',
          // An image that is opened by itself runs nothing.
          'content-security-policy': "default-src 'none'",
        },
      });
    },
  };
}
