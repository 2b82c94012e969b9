import type { Browser } from 'playwright-core';
import { startRivulet } from '@rivulet/standalone';
import { Raw } from '../conformance/raw';
import { findBrowser, NO_BROWSER, startBrowser } from '../support/browser';

let browser: Browser;
beforeAll(async () => {
  const executablePath = findBrowser();
  if (executablePath === null) throw new Error(NO_BROWSER);
  browser = await startBrowser(executablePath);
});
afterAll(() => browser.close());

test('[WATCH-11] a browser\'s EventSource catches up in gzip, shows live events at once, and stops after the end', async () => {
  await using rivulet = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } });
  const raw = new Raw(rivulet);
  const stream = await raw.open();
  for (let seq = 1; seq <= 60; seq += 1) await raw.append(stream, { seq, data: `${seq} all happy families are alike `.repeat(30) });
  // The conditions below are evaluated in the page, which forbids that.
  const page = await browser.newPage({ bypassCSP: true });
  await page.goto(rivulet.url);
  const answered = page.waitForResponse((response) => response.url().includes('/events'));
  await page.evaluate(({ streamNo, readToken }) => {
    const source = new EventSource(`/v1/watch/${streamNo}/events?token=${readToken}`);
    const seen: string[] = [];
    for (const name of ['fragment', 'final']) source.addEventListener(name, (event) => seen.push((event as MessageEvent).lastEventId));
    Object.assign(globalThis, { source, seen });
  }, { streamNo: stream.streamNo, readToken: stream.readToken });
  const until = (condition: string): Promise<unknown> => page.waitForFunction(condition, undefined, { timeout: 60_000 });
  expect((await answered).headers()['content-encoding']).toBe('gzip');
  await until('seen.at(-1) === "1.60"');
  // Each is waited for before the next is written: what a browser held back until more came would never be seen.
  for (let seq = 61; seq <= 63; seq += 1) {
    await raw.append(stream, { seq, data: `live ${seq}` });
    await until(`seen.at(-1) === "1.${seq}"`);
  }
  await raw.verdict(stream, 'end', { lastSeq: 63 });
  await until('seen.at(-1) === "1.63.f" && source.readyState === EventSource.CLOSED');
  expect(await page.evaluate('seen.filter((id) => id.endsWith(".f")).length')).toBe(1);
});
