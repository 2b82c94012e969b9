import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { rivulet } from '@rivulet/client';
import { startRivulet } from '@rivulet/standalone';
import type { RunningRivulet } from '@rivulet/standalone';
import type { Browser, Page } from 'playwright-core';
import { describeInBrowser, startBrowser } from '../support/browser';
import { eventually } from '../support/eventually';
import { slowdown } from '../support/slowdown';

const FOLDER = path.join(__dirname, '..', '..', 'examples');
const NAMES = ['chat', 'file-drop', 'ticker'];
const LINES_MAX = 80;

test('an example is at most 80 lines, says how to run it, and takes nothing but what is published', () => {
  expect(readdirSync(FOLDER, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : [])).sort()).toEqual(NAMES);
  for (const name of NAMES) {
    const files = readdirSync(path.join(FOLDER, name)).map((file) => readFileSync(path.join(FOLDER, name, file), 'utf8'));
    const text = files.join('');
    expect([name, text.split('\n').length - 1 <= LINES_MAX]).toEqual([name, true]);
    expect(files.find((file) => file.includes('createServer'))?.split('\n', 2).join()).toMatch(/^\/\/ .*npm start.*node examples\//s);
    const imported = new Set([...text.matchAll(/ from '([^']+)'/g)].map(([, from]) => from!).filter((from) => !from.startsWith('node:')));
    expect([...imported].filter((from) => from !== '@rivulet/client' && !from.startsWith('eventsource-parser'))).toEqual([]);
  }
});

/** Speaks the streaming format of OpenAI: three words, then it waits to be let go. */
class OpenAi {
  asked: { messages: object[] }[] = [];
  left = 0;
  private readonly waiting: ServerResponse[] = [];
  private readonly server = createServer((request, response) => void (async () => {
    this.asked.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
    response.on('close', () => { if (!response.writableFinished) this.left += 1; });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const word of ['It ', 'is ', 'so']) this.say(response, word);
    this.waiting.push(response);
  })());

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  /** Ends the oldest answer that waits. */
  finish(): void {
    const response = this.waiting.shift()!;
    this.say(response, '. 当然🌊');
    response.end('data: [DONE]\n\n');
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private say(response: ServerResponse, content: string): void {
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
  }
}

describeInBrowser('the examples in a browser', suite);

function suite(chromium: string): void {
  let system: RunningRivulet;
  let browser: Browser;
  let children: ChildProcess[] = [];
  let faults: string[] = [];
  const ai = new OpenAi();

  beforeAll(async () => {
    [system, browser] = await Promise.all([
      startRivulet({ env: { RIVULET_LOG_LEVEL: 'error', RIVULET_CORS_ORIGINS: '*' } }), startBrowser(chromium),
    ]);
  });
  afterAll(async () => {
    ai.stop();
    await browser.close();
    await system.stop();
  });
  beforeEach(() => { faults = []; });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    const running = children.filter((child) => child.exitCode === null && child.signalCode === null);
    await Promise.all(running.map((child) => new Promise((resolve) => child.once('exit', resolve).kill())));
    children = [];
    expect(faults).toEqual([]);
  });

  /** @returns the address it prints */
  function start(name: string, env: Record<string, string> = {}): Promise<string> {
    const child = spawn(process.execPath, [path.join(FOLDER, name, 'server.mjs')], {
      env: { PATH: process.env['PATH'], RIVULET_URL: system.url, RIVULET_KEY: system.apiKey, PORT: '0', ...env }, stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`${name} exited with ${code}.`)));
      createInterface({ input: child.stdout }).once('line', resolve);
    });
  }

  async function visit(url: string): Promise<Page> {
    const page = await browser.newPage();
    page.on('pageerror', ({ message }) => faults.push(message));
    await page.goto(url);
    return page;
  }
  const has = (page: Page, selector: string, text: string | RegExp): Promise<void> =>
    eventually(async () => expect(await page.locator(selector).allTextContents()).toEqual([typeof text === 'string' ? text : expect.stringMatching(text)]));
  async function ask(page: Page, question: string): Promise<void> {
    await page.fill('[name=question]', question);
    await page.press('[name=question]', 'Enter');
  }

  test('the chat answers without any model, word by word, and a reload in the middle loses nothing', async () => {
    const page = await visit(await start('chat'));
    await ask(page, 'is the answer whole, 一字不差, after a reload in the middle of it? 🌊');
    await has(page, '#turns p', /^You said: is/);
    expect(await page.locator('#turns p').textContent()).not.toContain('🌊');
    await page.reload();
    await has(page, '#turns p', 'You said: is the answer whole, 一字不差, after a reload in the middle of it? 🌊');
    await has(page, '#turns p[data-status=ended]', /🌊$/);
  });

  test('a model of the OpenAI kind answers in all tabs, sees what was said before, and its call ends when a reader stops', async () => {
    const page = await visit(await start('chat', { OPENAI_BASE_URL: await ai.start(), OPENAI_API_KEY: 'k', OPENAI_MODEL: 'm' }));
    await ask(page, 'Is it?');
    await has(page, '#turns p', /^It is so$/);
    const tab = await visit(page.url());
    await has(tab, '#turns p', /^It is so$/);
    ai.finish();
    for (const one of [page, tab]) await has(one, '#turns p[data-status=ended]', 'It is so. 当然🌊');
    await ask(tab, 'Sure?');
    await eventually(async () => expect(await tab.locator('#turns p').allTextContents()).toEqual(['It is so. 当然🌊', 'It is so']));
    expect(ai.asked[1]).toMatchObject({ model: 'm', stream: true, messages: [
      { role: 'user', content: 'Is it?' }, { role: 'assistant', content: 'It is so. 当然🌊' }, { role: 'user', content: 'Sure?' },
    ] });
    expect(ai.left).toBe(0);
    const stoppedAt = performance.now();
    await tab.click('#cancel');
    await eventually(() => expect(ai.left).toBe(1));
    expect(performance.now() - stoppedAt).toBeLessThan(2_000 * slowdown());
    await has(tab, '#turns p[data-status=cancelled]', 'It is so');
  });

  test('a dropped file arrives in a second page and over plain HTTP with the same SHA-256', async () => {
    const url = await start('file-drop');
    const buffer = randomBytes(3_000_000);
    const digest = createHash('sha256').update(buffer).digest('hex');
    const page = await visit(url);
    await page.setInputFiles('#file', { name: 'Größe 字.bin', mimeType: 'application/octet-stream', buffer });
    await has(page, '#told', `3000000 bytes sent, SHA-256 ${digest}`);
    const streamNo = (await page.locator('#link a').textContent())!;
    const second = await visit(`${url}#${streamNo}`);
    await has(second, '#told', `3000000 bytes received, SHA-256 ${digest}`);
    await has(second, '#link a', 'Save Größe 字.bin');
    const plain = await fetch(`${url}files/${streamNo}`);
    expect(createHash('sha256').update(Buffer.from(await plain.arrayBuffer())).digest('hex')).toBe(digest);
  });

  test('the ticker shows the newest, also to who comes late, and says when it is over', async () => {
    const url = await start('ticker');
    const page = await visit(url);
    const tick = async (of: Page): Promise<number> => Number(/\d+/.exec((await of.textContent('#number'))!)?.[0]);
    await eventually(async () => expect(await tick(page)).toBeGreaterThan(50));
    await has(page, '#prices', /KAFKA +\d+\.\d\d\nNODE +\d+\.\d\d\nRIVULET +\d+\.\d\d/);
    const late = await visit(url);
    await eventually(async () => expect(Number(await late.textContent('#shown'))).toBeGreaterThan(0));
    // The first thing it shows is what holds now, not where the ticker began.
    expect(await tick(late)).toBeGreaterThan(50);
    expect(Number(await page.textContent('#shown'))).toBeLessThan((await tick(page)) / 3);
    children[0]!.kill();
    for (const one of [page, late]) await has(one, '#prices', 'The ticker has ended.');
  });

  test('what a reader of the chat gets can stop and read its answer, and nothing else', async () => {
    const url = await start('chat');
    const body = JSON.stringify({ question: 'who?' });
    const { streamNo, token } = await (await fetch(`${url}chats/one`, { method: 'POST', body })).json() as { streamNo: string; token: string };
    const reader = rivulet({ url: system.url, token });
    await expect(reader.open()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await reader.cancel(streamNo)).toMatchObject({ status: 'cancelled' });
  });
}
