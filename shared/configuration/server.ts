import ipaddr from 'ipaddr.js';
import * as z from 'zod';
import type { LoggingConfig } from '../edge/request-log.ts';
import { broken, slice } from './slice.ts';
import { listOf, parseUrl, readAs, whole } from './values.ts';

export interface ServerConfig {
  readonly environment: 'development' | 'production';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly logging: LoggingConfig;
  readonly listen: { readonly host: string; readonly port: number };
  /** Processes on one port; `auto`: as many as the system runs at once. Always 1 on Workers. */
  readonly workers: number | 'auto';
  /** Listed origins; empty = no CORS headers at all. */
  readonly allowedOrigins: readonly string[];
  /** CIDRs whose X-Forwarded-* is trusted. */
  readonly trustedProxies: readonly string[];
  readonly maxBodyBytes: number;
}

/** For slices with further requirements in production. */
export const ENVIRONMENT = z
  .enum(['development', 'production'], 'write development or production')
  .default('development');

/** prod or Production already gets production's faults; any other word may mean development. */
export function meansProduction({ ENVIRONMENT: text = '' }: Readonly<Record<string, string | undefined>>) {
  return /^\s*prod/i.test(text);
}

/** The share of passed requests that are logged; undefined for a malformed text. */
function passingShare(text: string): number | undefined {
  if (text === 'all') return 1;
  if (text === 'refused') return 0;
  const share = /^sample:(0|1|0?\.\d{1,9}|1\.0{1,9})$/.exec(text)?.[1];
  return share === undefined ? undefined : Number(share);
}

/** More than any machine has use for. */
const MOST_WORKERS = 256;

function processes(text: string): ServerConfig['workers'] | undefined {
  if (text === 'auto') return text;
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  return count >= 1 && count <= MOST_WORKERS ? count : undefined;
}

const ORIGINS =
  'write whole origins as browsers send them, each by itself: scheme and host in small letters, no *, no default port, no path and no slash at the end, as in https://app.example.org';
const ANY_ORIGIN =
  'holds *: answers carry Access-Control-Allow-Credentials, so list the origins, as in https://app.example.org';

/** Listening, logging and the frame of answers. */
export const SERVER = slice({
  variables: {
    ALLOWED_ORIGINS: listOf(
      (entry) => entry === '*' || (parseUrl(entry)?.origin === entry && !entry.includes('*')),
      ORIGINS,
    )
      .refine((origins) => !origins.includes('*'), ANY_ORIGIN)
      .default([]),
    TRUSTED_PROXIES: listOf(
      (entry) => ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry),
      'write addresses or CIDRs, as in 10.0.0.0/8,::1',
    ).default([]),
    MAX_BODY_BYTES: whole(0, 2 ** 40, 'bytes').default(10_485_760),
    ENVIRONMENT,
    LOG_LEVEL: z
      .enum(['debug', 'info', 'warn', 'error', 'silent'], 'write debug, info, warn, error or silent')
      .default('info'),
    LOG_REQUESTS: readAs(passingShare, 'write all, refused or a share, as in sample:0.01').optional(),
    LOG_PATHS: z.enum(['on', 'off'], 'write on or off').default('on'),
    PORT: whole(0, 65_535, 'the port').default(3000),
    HOST: z.string().default('0.0.0.0'),
    WORKERS: readAs(
      processes,
      `write auto, or a whole number of processes from 1 to ${MOST_WORKERS}`,
    ).default(1),
  },
  read: (v, { runtime }): ServerConfig => ({
    environment: v.ENVIRONMENT,
    logLevel: v.LOG_LEVEL,
    // Cloudflare logs every invocation of a Worker anyway, and a line costs it more than most of a request.
    logging: { passing: v.LOG_REQUESTS ?? (runtime === 'workers' ? 0 : 1), paths: v.LOG_PATHS === 'on' },
    listen: { host: v.HOST, port: v.PORT },
    workers: runtime === 'node' ? v.WORKERS : 1,
    allowedOrigins: v.ALLOWED_ORIGINS,
    trustedProxies: v.TRUSTED_PROXIES,
    maxBodyBytes: v.MAX_BODY_BYTES,
  }),
  warnings: ({ workers }, { written }) =>
    broken([
      workers !== 1 && !('REDIS_URL' in written) && !('UPSTASH_REDIS_REST_URL' in written),
      'WORKERS',
      'makes several processes, and without REDIS_URL each of them counts for itself: a caller has as many quotas as there are processes',
    ]),
});
