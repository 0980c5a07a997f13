/** Debian's Chromium, for pages that people look at. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { times } from '../support/scale.ts';
import { chromium, type Browser, type Page } from 'playwright-core';
import * as z from 'zod';

const BINARY = process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium';
const required = process.env['REQUIRE_SERVICES'] === '1';

/** For `describe.skipIf`; never true when REQUIRE_SERVICES=1, so that a missing browser fails. */
export const chromiumMissing = !existsSync(BINARY) && !required;

export function startChromium(): Promise<Browser> {
  // As root, in containers, its sandbox does not start; pages come from this machine alone.
  return chromium.launch({ executablePath: BINARY, args: ['--no-sandbox'] });
}

export interface Look {
  readonly width: number;
  readonly colorScheme: 'light' | 'dark';
}

const ALL: readonly Look[] = [
  { width: 1280, colorScheme: 'light' },
  { width: 380, colorScheme: 'dark' },
  { width: 1280, colorScheme: 'dark' },
  { width: 380, colorScheme: 'light' },
];

/** A desk and a phone, light and dark: each of the four in full. */
export const LOOKS = ALL.slice(0, times(4, 2));

export interface WatchedPage {
  readonly page: Page;
  /** Messages on the console that are no mere information, errors of scripts, and requests to another origin than `origin`. */
  readonly complaints: string[];
  /** Pixels by which the page is wider than its window. */
  readonly overflow: () => Promise<number>;
}

export async function openPage(
  browser: Browser,
  origin: string,
  { width, colorScheme }: Look,
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) complaints.push(`asks for ${request.url()}`);
  });
  const overflow = (): Promise<number> =>
    page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
  return { page, complaints, overflow };
}

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const Violations = z.array(z.object({ id: z.string(), impact: z.string().nullable(), place: z.string() }));

/** What axe-core finds serious or critical. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found: unknown = await page.evaluate(
    `axe.run().then(({ violations }) => violations.map(({ id, impact, nodes: [first] }) => ({ id, impact, place: first.html })))`,
  );
  return Violations.parse(found).flatMap(({ id, impact, place }) =>
    impact === 'serious' || impact === 'critical' ? [`${id}: ${place}`] : [],
  );
}
