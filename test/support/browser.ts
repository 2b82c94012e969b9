import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

const START_MS_MAX = 150_000;

/** Quiet: no update checks, nothing fetched that the page did not ask for. */
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

/** @returns a Chromium on this machine: CHROMIUM_PATH, or one of the usual places; null when there is none */
export function findBrowser(): string | null {
  const given = process.env['CHROMIUM_PATH'];
  if (given) return given;
  return PATHS.find((path) => existsSync(path)) ?? null;
}

export const NO_BROWSER = 'No Chromium was found. Set CHROMIUM_PATH to one, or install it (Debian: apt-get install chromium).';

export const startBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({ executablePath, headless: true, args: ARGS, timeout: START_MS_MAX });

/** A suite in a real browser. Where there is none a test says that it did not run, and in CI it fails. */
export function describeInBrowser(name: string, suite: (executablePath: string) => void): void {
  const path = findBrowser();
  if (path !== null) return describe(name, () => suite(path));
  test(`NOT RUN: ${name}, for want of a browser`, () => {
    if (process.env['CI']) throw new Error(NO_BROWSER);
    console.warn(NO_BROWSER);
  });
}
