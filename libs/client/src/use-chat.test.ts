import path from 'node:path';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { rivulet } from '@rivulet/client';
import { findUIMessageStream } from '@rivulet/client/ai-sdk';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import { describeInBrowser, startBrowser } from '../../../test/support/browser';
import { ChatServer, WORDS } from '../../../test/support/chat-server';
import { eventually } from '../../../test/support/eventually';
import { slowdown } from '../../../test/support/slowdown';

/** What an application of the AI SDK looks like: its own hook, our transport, in strict mode. */
const PAGE = `
  import { StrictMode, createElement as h } from 'react';
  import { createRoot } from 'react-dom/client';
  import { useChat } from '@ai-sdk/react';
  import { RivuletChatTransport } from '@rivulet/client/ai-sdk';
  const transport = new RivuletChatTransport();
  function Chat() {
    const { messages, status, sendMessage, stop } = useChat({ id: 'chat', transport, resume: true });
    const texts = messages.filter(({ role }) => role === 'assistant').map(({ parts }) => parts.map(({ text }) => text ?? '').join(''));
    return h('div', null, h('p', { id: 'status' }, status), texts.map((text, index) => h('p', { key: index, className: 'answer' }, text)),
      h('button', { id: 'ask', onClick: () => sendMessage({ text: 'Well?' }) }), h('button', { id: 'stop', onClick: stop }));
  }
  const root = createRoot(document.body);
  root.render(h(StrictMode, null, h(Chat)));
  window.leave = () => root.unmount();`;

describeInBrowser('useChat', suite);

function suite(chromium: string): void {
  let system: RunningRivulet;
  let browser: Browser;
  let script: string;
  let server: ChatServer;
  let faults: string[] = [];

  beforeEach(async () => {
    // Each test has a system of its own: a chat is found by its name.
    system = await startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } });
    server = await new ChatServer(rivulet({ url: system.url, token: system.apiKey })).start();
  });
  beforeAll(async () => {
    const bundling = build({
      stdin: { contents: PAGE, resolveDir: path.join(__dirname, '..') }, bundle: true, write: false, platform: 'browser', format: 'iife',
      define: { 'process.env.NODE_ENV': '"development"' }, logLevel: 'silent',
    });
    browser = await startBrowser(chromium);
    script = (await bundling).outputFiles[0]!.text;
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    server.stop();
    await system.stop();
    expect(faults).toEqual([]);
  });

  async function visit(): Promise<Page> {
    faults = [];
    const page = await browser.newPage();
    page.on('pageerror', ({ message }) => faults.push(message));
    page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) faults.push(message.text()); });
    const body = '<!doctype html><meta charset=utf-8><link rel=icon href=data:,><body><script src=/test.js></script>';
    await page.route('**/test.html', (route) => route.fulfill({ contentType: 'text/html', body }));
    await page.route('**/test.js', (route) => route.fulfill({ contentType: 'text/javascript; charset=utf-8', body: script }));
    // The routes of the application, on the origin of its page.
    await page.route('**/api/chat**', async (route) => {
      await route.fulfill({ response: await route.fetch({ url: server.url + new URL(route.request().url()).pathname }) });
    });
    await page.goto(`${system.url}/test.html`);
    return page;
  }
  const shows = (page: Page, answer: string, status: string): Promise<void> => eventually(async () => {
    expect([await page.locator('.answer').allTextContents(), await page.textContent('#status')]).toEqual([[answer], status]);
  });
  const half = WORDS.slice(0, WORDS.length / 2).join('');
  const untilFound = (): Promise<void> =>
    eventually(async () => expect(await findUIMessageStream(rivulet({ url: system.url, token: system.apiKey }), 'chat')).not.toBeNull());

  test('an answer survives reloads and an unmount, is shown once, and is complete after the end too', async () => {
    const model = server.useModel();
    const page = await visit();
    await page.click('#ask');
    await shows(page, half, 'streaming');
    await untilFound();
    await page.reload();
    await shows(page, half, 'streaming');
    const left = await visit();
    await shows(left, half, 'streaming');
    await left.evaluate('leave()');
    model.goOn();
    await shows(page, WORDS.join(''), 'ready');
    expect(await server.ends[0]).toEqual({ status: 'ended' });
    await page.reload();
    await shows(page, WORDS.join(''), 'ready');
  });

  test('stop ends the call of the model, also after a reload', async () => {
    const model = server.useModel();
    const page = await visit();
    await page.click('#ask');
    await shows(page, half, 'streaming');
    await untilFound();
    await page.reload();
    await shows(page, half, 'streaming');
    const stopped = new Promise((resolve) => model.signal?.addEventListener('abort', resolve));
    const stoppedAt = performance.now();
    await page.click('#stop');
    await stopped;
    expect(performance.now() - stoppedAt).toBeLessThan(2_000 * slowdown());
    await shows(page, half, 'ready');
    expect(await server.ends[0]).toEqual({ status: 'cancelled' });
  });
}
