import { createHash, randomBytes } from 'node:crypto';
import { rivulet } from '@rivulet/client';
import type { Producer, Rivulet } from '@rivulet/client';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import type { Browser, BrowserContext, Page, Request } from 'playwright-core';
import { describeInBrowser, startBrowser } from '../support/browser';
import { servePage } from '../support/client-page';
import type { PageOrder, PageState } from '../support/client-page';
import { FaultProxy } from '../../tools/fault-proxy.cjs';
import { eventually } from '../support/eventually';

describeInBrowser('the client in a real browser', suite);

function suite(executablePath: string): void {
  let system: RunningRivulet;
  let site: Awaited<ReturnType<typeof servePage>>;
  let browser: Browser;
  let writer: Rivulet;
  /** Between the pages and the system. */
  let gate: FaultProxy;
  let context: BrowserContext;
  /** What pages asked the system for, and after which cursor. */
  let watched: (string | undefined)[];
  let sockets: number;
  let faults: string[];

  beforeAll(async () => {
    [system, site, browser] = await Promise.all([
      startRivulet({ env: { RIVULET_LOG_LEVEL: 'error', RIVULET_CORS_ORIGINS: '*' } }), servePage(), startBrowser(executablePath),
    ]);
    gate = await new FaultProxy({ port: Number(new URL(system.url).port) }).listen();
    writer = rivulet({ url: system.url, token: system.apiKey });
  });
  afterAll(async () => {
    await browser?.close();
    site?.stop();
    await gate?.close();
    await system?.stop();
  });
  beforeEach(async () => {
    [watched, sockets, faults] = [[], 0, []];
    context = await browser.newContext();
    context.on('request', (request: Request) => {
      if (request.method() === 'GET' && request.url().includes('/events')) watched.push(request.headers()['last-event-id']);
    });
    context.on('weberror', (fault) => faults.push(fault.error().message));
  });
  afterEach(async () => {
    await context.close();
    expect(faults).toEqual([]);
  });

  async function visit(streamNo: string, order: Partial<PageOrder> = {}): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on('websocket', () => (sockets += 1));
    const all: PageOrder = { url: `http://127.0.0.1:${gate.port}`, token: system.apiKey, streamNo, ...order };
    await page.goto(`${site.url}/#${encodeURIComponent(JSON.stringify(all))}`);
    return page;
  }
  const stateOf = (page: Page): Promise<PageState> => page.evaluate('window.state');
  const shows = (page: Page, text: string): Promise<void> => eventually(async () => expect((await stateOf(page))?.text).toBe(text));
  const isDone = async (page: Page, text: string): Promise<void> => {
    await eventually(async () => expect((await stateOf(page))?.done).toBe('final'));
    const { fragments, text: shown } = await stateOf(page);
    expect(shown).toBe(text);
    fragments.forEach(([from], index) => expect(from).toBe((fragments[index - 1]?.[1] ?? 0) + 1));
  };
  /** What is in the cache, as another tab reads it. */
  const keptBy = (page: Page, streamNo: string): Promise<string> => page.evaluate(async (no) => {
    interface Kept { events: { type: string; text?: string }[] }
    const { cache } = globalThis as unknown as { cache: { open(streamNo: string): Promise<Kept> } };
    return (await cache.open(no)).events.map((event) => (event.type === 'fragment' ? event.text : '')).join('');
  }, streamNo);
  const isKept = (page: Page, streamNo: string, text: string): Promise<void> =>
    eventually(async () => expect(await keptBy(page, streamNo)).toBe(text));
  const isSystem = (url: URL): boolean => url.port === String(gate.port);

  async function begun(text: string): Promise<Producer> {
    const producer = await writer.open();
    await producer.write(text);
    await producer.flush();
    return producer;
  }

  test.each(['sse', 'ws'] as const)('a page reloaded mid-stream shows at once what it had, then goes on after it, no byte twice, over %s', async (transport) => {
    const producer = await begun('Before the reload, 之前 🌊. ');
    const page = await visit(producer.streamNo, { transport });
    await shows(page, 'Before the reload, 之前 🌊. ');
    await isKept(page, producer.streamNo, 'Before the reload, 之前 🌊. ');
    await producer.write('While it was away. ');
    await producer.flush();
    await isKept(page, producer.streamNo, 'Before the reload, 之前 🌊. While it was away. ');
    // Nothing of the system answers: what is shown is the cache.
    await gate.refuse();
    await page.reload();
    await shows(page, 'Before the reload, 之前 🌊. While it was away. ');
    await gate.accept();
    await producer.write('And after.');
    await producer.end();
    await isDone(page, 'Before the reload, 之前 🌊. While it was away. And after.');
    if (transport === 'sse') expect(watched.at(-1)).toBe('1.2');
  });

  test('a finished stream needs no connection', async () => {
    const { streamNo } = await writer.send('All of it.');
    const page = await visit(streamNo);
    await isDone(page, 'All of it.');
    await isKept(page, streamNo, 'All of it.');
    await context.route(isSystem, (route) => route.abort());
    await page.reload();
    await isDone(page, 'All of it.');
    expect((await stateOf(page)).types).toEqual(['stream', 'fragment', 'final']);
    expect(watched).toHaveLength(1);
  });

  test('two tabs that see it merged differently keep one cache, without hole or repeat', async () => {
    const words = Array.from({ length: 400 }, (_, index) => `${index}水 `);
    const producer = await writer.open();
    const tabs = [await visit(producer.streamNo, { intervalMs: 70 }), await visit(producer.streamNo, { intervalMs: 180 })];
    for (const word of words) {
      await producer.write(word);
      if (producer.acknowledged % 5 === 0) await producer.flush();
    }
    await producer.end();
    for (const tab of tabs) await isDone(tab, words.join(''));
    await isKept(tabs[0]!, producer.streamNo, words.join(''));
    await context.route(isSystem, (route) => route.abort());
    for (const tab of tabs) {
      await tab.reload();
      await isDone(tab, words.join(''));
    }
  });

  test.each(['sse', 'ws'] as const)('[WATCH-1] offline and online again: it goes on by itself, over %s', async (transport) => {
    const producer = await begun('online ');
    const page = await visit(producer.streamNo, { transport });
    await shows(page, 'online ');
    const before = [watched.length, sockets];
    await context.setOffline(true);
    await gate.refuse();
    await producer.write('offline ');
    await producer.flush();
    // It tries, in vain.
    await eventually(() => expect([watched.length, sockets]).not.toEqual(before));
    expect((await stateOf(page)).text).toBe('online ');
    await gate.accept();
    await context.setOffline(false);
    await producer.write('online again');
    await producer.end();
    await isDone(page, 'online offline online again');
    if (transport === 'sse') expect(watched.at(-1)).toBe('1.1');
  });

  test('a stream that starts over is shown anew, and nothing old is left in the cache', async () => {
    const first = await begun('wrong ');
    const page = await visit(first.streamNo);
    await shows(page, 'wrong ');
    await isKept(page, first.streamNo, 'wrong ');
    await page.goto('about:blank');
    const second = await writer.retry(first.streamNo, { keep: 'none' });
    await second.write('right');
    await second.end();
    const again = await visit(first.streamNo);
    await isDone(again, 'right');
    expect((await stateOf(again)).types).toContain('rewind');
    await isKept(again, first.streamNo, 'right');
  });

  test.each([
    ['a full disk', `IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }`],
    ['a database that cannot be opened', `IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); }`],
    ['no IndexedDB at all', `Object.defineProperty(window, 'indexedDB', { value: undefined });`],
  ])('%s costs the cache, not the reader', async (_, trouble) => {
    await context.addInitScript(trouble);
    const { streamNo } = await writer.send('whatever the disk says');
    const page = await visit(streamNo);
    await isDone(page, 'whatever the disk says');
    await page.reload();
    await isDone(page, 'whatever the disk says');
    expect(watched).toEqual([undefined, undefined]);
  });

  test('the cache is bounded: the stream longest not added to goes first; and it can be cleared', async () => {
    const sent = [];
    for (const text of ['one', 'two', 'three']) sent.push((await writer.send(text)).streamNo);
    let page: Page | undefined;
    for (const [index, text] of ['one', 'two', 'three'].entries()) {
      page = await visit(sent[index]!, { streamsMax: 2 });
      await isDone(page, text);
      await isKept(page, sent[index]!, text);
    }
    expect(await Promise.all(sent.map((streamNo) => keptBy(page!, streamNo)))).toEqual(['', 'two', 'three']);
    await page!.evaluate('window.cache.clear()');
    expect(await Promise.all(sent.map((streamNo) => keptBy(page!, streamNo)))).toEqual(['', '', '']);
  });

  test('a page sends a file and receives one, checked', async () => {
    const content = randomBytes(1_500_000);
    const { streamNo } = await writer.sendFile(new Blob([content]), { fileName: 'from-node.bin' });
    const page = await visit(streamNo);
    const answer = await page.evaluate(async (no) => {
      interface Files {
        receiveFile(no: string): Promise<{ blob: Blob; digest: string; metadata: object }>;
        sendFile(file: Blob): Promise<{ streamNo: string }>;
      }
      const { client } = globalThis as unknown as { client: Files };
      const { blob, digest, metadata } = await client.receiveFile(no);
      const sent = await client.sendFile(new File([blob], 'from-page.bin', { type: 'image/png' }));
      return { size: blob.size, digest, metadata, streamNo: sent.streamNo };
    }, streamNo);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(answer).toMatchObject({ size: content.length, digest: sha256, metadata: { fileName: 'from-node.bin' } });
    expect(await writer.state(answer.streamNo)).toMatchObject({
      contentType: 'image/png', class: 'bulk', metadata: { fileName: 'from-page.bin', sizeBytes: content.length }, final: { digest: sha256 },
    });
  });
}
