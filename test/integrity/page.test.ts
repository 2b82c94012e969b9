import { rivulet } from '@rivulet/client';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { describeInBrowser, startBrowser } from '../support/browser';
import { eventually } from '../support/eventually';

const TEXT = 'A rivulet is small, 但它不停。 It goes on. 🌊 '.repeat(4);

describeInBrowser('the page', suite);

function suite(executablePath: string): void {
  let system: RunningRivulet;
  let browser: Browser;
  /** What a page must not do: errors, violations of its content security policy, calls to elsewhere. */
  let faults: string[];

  beforeAll(async () => {
    [system, browser] = await Promise.all([startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } }), startBrowser(executablePath)]);
  });
  afterAll(async () => {
    await browser.close();
    await system.stop();
  });
  beforeEach(() => { faults = []; });

  async function visit(fragment = `#key=${system.apiKey}`, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1200, height: 1000 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      // A refused call is logged by the browser itself; the page shows it.
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) faults.push(message.text());
    });
    page.on('request', (request) => { if (!request.url().startsWith(system.url)) faults.push(request.url()); });
    await page.goto(`${system.url}/${fragment}`);
    return page;
  }
  const part = (page: Page, pane: 'live' | 'late', name: string) => page.locator(`#pane-${pane} [data-part=${name}]`);
  const content = (page: Page, pane: 'live' | 'late') => part(page, pane, 'content').textContent();
  const has = (page: Page, pane: 'live' | 'late', name: string, text: string) =>
    eventually(async () => expect(await part(page, pane, name).textContent()).toContain(text));

  async function send(page: Page, text: string): Promise<void> {
    await page.fill('#text', text);
    await page.click('#send');
  }

  test('a newcomer sends a text and sees it grow; who joins late gets the same', async () => {
    const page = await visit();
    await page.fill('#channel', 'newcomers');
    await send(page, TEXT);
    await eventually(async () => {
      const seen = (await content(page, 'live')) ?? '';
      expect(seen.length).toBeGreaterThan(5);
      expect(seen.length).toBeLessThan(TEXT.length);
    });
    expect(await part(page, 'late', 'status').textContent()).toBe('joins in 3 s');
    for (const pane of ['live', 'late'] as const) {
      await has(page, pane, 'final', 'matches what is shown here');
      expect(await content(page, pane)).toBe(TEXT);
      expect(await part(page, pane, 'status').textContent()).toBe('ended');
    }
    await eventually(async () => expect(await page.locator('#recent tr').first().textContent()).toMatch(/ended.*newcomers/));
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('of content whose size is known the page shows how much has come: text and bytes', async () => {
    const page = await visit();
    const client = rivulet({ url: system.url, token: system.apiKey });
    const progress = (name: 'hidden' | 'value' | 'max') =>
      part(page, 'live', 'progress').evaluate((bar, which) => (bar as unknown as Record<string, unknown>)[which], name);
    for (const [contentType, half] of [['text/plain', '字'.repeat(1_000)], ['application/octet-stream', Buffer.alloc(3_000, 7)]] as const) {
      const producer = await client.open({ contentType, metadata: { sizeBytes: 6_000 } });
      await producer.write(half);
      await page.fill('#stream-no', producer.streamNo);
      await page.click('#watch-form button');
      await eventually(async () => expect([await progress('hidden'), await progress('value'), await progress('max')]).toEqual([false, 3_000, 6_000]));
      await producer.write(half);
      await producer.end();
      await has(page, 'live', 'final', '6000 bytes');
      expect(await progress('value')).toBe(6_000);
    }
    await send(page, TEXT);
    await eventually(async () => expect(await progress('hidden')).toBe(true));
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('the key leaves the address bar, stays in the tab, and is nowhere else', async () => {
    const page = await visit();
    await eventually(() => expect(page.url()).toBe(`${system.url}/`));
    expect(await page.inputValue('#key')).toBe(system.apiKey);
    await page.reload();
    await eventually(async () => expect(await page.inputValue('#key')).toBe(system.apiKey));
    const fresh = await page.context().newPage();
    await fresh.goto(system.url);
    expect(await fresh.inputValue('#key')).toBe('');
    await page.context().close();
  });

  test('what is typed live arrives while it is typed, and what is sent stays', async () => {
    const page = await visit();
    await page.click('#live');
    await page.locator('#text').pressSequentially('Hello ');
    await has(page, 'live', 'content', 'Hello ');
    await page.locator('#text').press('Home');
    await page.locator('#text').pressSequentially('X');
    expect(await page.inputValue('#text')).toBe('Hello ');
    await page.locator('#text').press('End');
    await page.locator('#text').pressSequentially('世界');
    await page.click('#end');
    await has(page, 'live', 'final', 'matches what is shown here');
    expect(await content(page, 'live')).toBe('Hello 世界');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('[WATCH-2] a reader that disconnects resumes after its cursor and misses nothing', async () => {
    const page = await visit();
    await send(page, TEXT);
    await eventually(async () => expect((await content(page, 'live'))?.length).toBeGreaterThan(10));
    await part(page, 'live', 'connect').click();
    await has(page, 'live', 'status', 'disconnected');
    const before = await content(page, 'live');
    await eventually(async () => expect((await content(page, 'late'))?.length).toBeGreaterThan((before?.length ?? 0) + 10));
    expect(await content(page, 'live')).toBe(before);
    await part(page, 'live', 'connect').click();
    await has(page, 'live', 'final', 'matches what is shown here');
    expect(await content(page, 'live')).toBe(TEXT);
    expect(await part(page, 'live', 'connections').textContent()).toBe('2');
    await page.context().close();
  });

  test('[WATCH-4] a reader that stops reading goes on where it was', async () => {
    const page = await visit();
    await send(page, TEXT);
    await eventually(async () => expect((await content(page, 'live'))?.length).toBeGreaterThan(10));
    await part(page, 'live', 'pause').click();
    await has(page, 'late', 'final', 'matches what is shown here');
    expect((await content(page, 'live'))?.length).toBeLessThan(TEXT.length);
    await part(page, 'live', 'pause').click();
    await has(page, 'live', 'final', 'matches what is shown here');
    expect(await content(page, 'live')).toBe(TEXT);
    await page.context().close();
  });

  test('cancel stops the writer, and every reader is told', async () => {
    const page = await visit();
    await page.locator('#pane-late [data-part=late]').uncheck();
    await send(page, TEXT.repeat(20));
    await eventually(async () => expect((await content(page, 'late'))?.length).toBeGreaterThan(10));
    await page.click('#cancel');
    for (const pane of ['live', 'late'] as const) await has(page, pane, 'status', 'cancelled');
    expect(await page.textContent('#produce-state')).toContain('Cancelled');
    expect(await page.isEnabled('#send')).toBe(true);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('a stream cancelled elsewhere stops the writer here', async () => {
    const page = await visit();
    await page.click('#live');
    await page.locator('#text').pressSequentially('x');
    await has(page, 'live', 'content', 'x');
    const streamNo = await page.inputValue('#stream-no');
    const cancel = await fetch(`${system.url}/v1/streams/${streamNo}/cancel`, {
      method: 'POST', headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' }, body: '{"reason":"elsewhere"}',
    });
    expect(cancel.status).toBe(200);
    await eventually(async () => expect(await page.textContent('#produce-state')).toContain('final'));
    await has(page, 'live', 'final', 'elsewhere');
    await page.context().close();
  });

  test('a click on a recent stream shows it again', async () => {
    const page = await visit();
    await send(page, 'short');
    await has(page, 'live', 'final', 'matches');
    const again = await visit();
    await again.locator('#recent button').first().click();
    await has(again, 'live', 'content', 'short');
    await page.context().close();
    await again.context().close();
  });

  test('[NO-2] errors are shown with their code and remedy', async () => {
    const page = await visit();
    await page.fill('#stream-no', 'my-own-number');
    await page.locator('#watch-form button').click();
    await eventually(async () => expect(await page.textContent('#problem')).toMatch(/STREAM_NO_NOT_ISSUED.*POST \/v1\/streams/s));
    await page.click('#problem-close');
    expect(await page.isVisible('#problem')).toBe(false);
    await page.fill('#key', 'rk_dev_wrong');
    await page.locator('#key-form button').click();
    await send(page, 'x');
    await eventually(async () => expect(await page.textContent('#problem')).toContain('UNAUTHENTICATED'));
    await page.context().close();
  });

  test('the page fits a phone, in the dark, and every control has a name', async () => {
    const page = await visit(undefined, { viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
    const widths = await page.evaluate('[document.documentElement.scrollWidth, innerWidth]') as [number, number];
    expect(widths[0]).toBeLessThanOrEqual(widths[1]);
    const nameless = await page.evaluate(`[...document.querySelectorAll('button, input, select, textarea')]
      .filter((one) => !(one.labels?.length || one.textContent.trim() || one.getAttribute('aria-label'))).map((one) => one.outerHTML)`);
    expect(nameless).toEqual([]);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(15, 21, 26)');
    await page.context().close();
  });
}
