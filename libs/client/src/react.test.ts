import path from 'node:path';
import { build } from 'esbuild';
import type { Browser, Page, Request } from 'playwright-core';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { startRivulet } from '@rivulet/standalone';
import type { OpenOptions } from '@rivulet/protocol';
import type { RunningRivulet } from '@rivulet/standalone';
import { describeInBrowser, startBrowser } from '../../../test/support/browser';
import { eventually } from '../../../test/support/eventually';
import { RivuletProvider, useChannel, useStream } from './react';
import type { ChannelSnapshot, UseStream } from './react';
import { rivulet } from './rivulet';
import type { Rivulet } from './rivulet';

interface View { name: string; no?: string; channel?: string; options?: object; isCached?: boolean }
/** What the page keeps of a component: every state it was shown in, and how it stands. */
interface Seen { now: UseStream & { code?: string }; texts: number[]; commits: number }

/** Shows streams in React's strict and development mode, where effects run twice and mistakes are console errors. */
const PAGE = `
  import { StrictMode, createElement as h, memo, useEffect } from 'react';
  import { createRoot, hydrateRoot } from 'react-dom/client';
  import { rivulet } from '@rivulet/client';
  import { streamCache } from '@rivulet/client/cache';
  import { RivuletProvider, useChannel, useStream } from '@rivulet/client/react';
  const cache = streamCache();
  window.kept = async (no) => (await cache.open(no))?.events.map(({ text }) => text ?? '').join('');
  const client = rivulet({ url: location.origin, token: window.token });
  window.seen = {};
  window.cancel = (name, reason) => seen[name].now.cancel(reason).then(({ status }) => status);
  function Stream({ name, no, options, isCached }) {
    const now = useStream(no, isCached ? { cache } : options);
    useEffect(() => {
      const { texts = [], commits = 0 } = seen[name] ?? {};
      seen[name] = { now: { ...now, code: now.error?.code }, texts: [...texts, now.text.length], commits: commits + 1 };
    }, [now]);
    return h('p', { id: name }, now.status, ' ', now.text, JSON.stringify(now.items));
  }
  window.rows = {};
  const Row = memo(({ stream }) => {
    rows[stream.streamNo] = (rows[stream.streamNo] ?? 0) + 1;
    return h('li', null, stream.status, ' ', stream.text);
  });
  function Channel({ name, channel, options }) {
    const now = useChannel(channel, options);
    useEffect(() => { seen[name] = { now: { ...now, code: now.error?.code } }; }, [now]);
    return h('ul', { id: name }, now.streams.map((stream) => h(Row, { key: stream.streamNo, stream })));
  }
  const viewOf = (view) => h(view.channel === undefined ? Stream : Channel, { key: view.name, ...view });
  const tree = (views) => h(StrictMode, null, h(RivuletProvider, { client }, views.map(viewOf)));
  const container = document.getElementById('root');
  const root = window.hydrated ? hydrateRoot(container, tree(window.hydrated)) : createRoot(container);
  window.show = (views) => root.render(tree(views));`;

test('a server shows a stream as connecting, asks nobody for it, and keeps nothing of it', () => {
  const fetching = jest.fn();
  const client = rivulet({ url: 'http://127.0.0.1:9', token: 't', fetch: fetching });
  const Show = ({ no }: { no?: string }) => {
    const { status, text, items, attempt, error } = useStream(no);
    return createElement('p', null, JSON.stringify({ status, text, items, attempt, error }));
  };
  const render = (no?: string): string => renderToString(createElement(RivuletProvider, { client }, createElement(Show, { no }))).replaceAll('&quot;', '"');
  expect(render('s1')).toBe('<p>{"status":"connecting","text":"","items":[],"attempt":0,"error":null}</p>');
  expect(render()).toContain('"status":"idle"');
  const ShowChannel = () => createElement('p', null, JSON.stringify(useChannel('chat')));
  expect(renderToString(createElement(RivuletProvider, { client }, createElement(ShowChannel)))).toContain('[]');
  expect(fetching).not.toHaveBeenCalled();
  expect(() => renderToString(createElement(Show, { no: 's1' }))).toThrow('RivuletProvider');
  expect(() => renderToString(createElement(ShowChannel))).toThrow('RivuletProvider');
});

describeInBrowser('useStream in a browser', suite);

function suite(chromium: string): void {
  let system: RunningRivulet;
  let browser: Browser;
  let client: Rivulet;
  let script: string;
  let page: Page;
  /** Errors and warnings of React and of the page; connections of watching that began and ended. */
  let faults: string[];
  let watched: { begun: number; ended: number };

  beforeAll(async () => {
    const bundling = build({
      stdin: { contents: PAGE, resolveDir: path.join(__dirname, '..') }, bundle: true, write: false, platform: 'browser', format: 'iife',
      define: { 'process.env.NODE_ENV': '"development"' }, logLevel: 'silent',
    });
    [system, browser] = await Promise.all([startRivulet({ env: { RIVULET_LOG_LEVEL: 'error' } }), startBrowser(chromium)]);
    client = rivulet({ url: system.url, token: system.apiKey });
    script = (await bundling).outputFiles[0]!.text;
  });
  afterAll(async () => {
    await browser.close();
    await system.stop();
  });
  beforeEach(async () => {
    faults = [];
    watched = { begun: 0, ended: 0 };
    page = await browser.newPage();
    page.on('pageerror', ({ message }) => faults.push(message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !/Failed to load resource/.test(message.text())) faults.push(message.text());
    });
    const isWatching = (url: string): boolean => url.includes('/events');
    page.on('request', (request) => { if (isWatching(request.url())) watched.begun += 1; });
    const end = (request: Request): void => { if (isWatching(request.url())) watched.ended += 1; };
    page.on('requestfinished', end).on('requestfailed', end);
  });
  afterEach(async () => {
    await page.close();
    expect(faults).toEqual([]);
  });

  async function visit(html = '', hydrated?: View[]): Promise<void> {
    const state = `window.token = '${system.apiKey}'; window.hydrated = ${JSON.stringify(hydrated ?? null)};`;
    const body = `<!doctype html><meta charset=utf-8><div id=root>${html}</div><script>${state}</script><script src=/test.js></script>`;
    await page.route('**/test.html', (route) => route.fulfill({ contentType: 'text/html', body }));
    await page.route('**/test.js', (route) => route.fulfill({ contentType: 'text/javascript; charset=utf-8', body: script }));
    await page.goto(`${system.url}/test.html`);
  }
  const show = (...views: View[]): Promise<void> => page.evaluate(`show(${JSON.stringify(views)})`);
  const seen = (name: string): Promise<Seen> => page.evaluate(`seen[${JSON.stringify(name)}]`);
  const now = async (name: string): Promise<Seen['now']> => (await seen(name)).now;
  const until = (name: string, state: object): Promise<void> => eventually(async () => expect(await now(name)).toMatchObject(state));

  test('a text grows in all components that show it, over one connection, until its end', async () => {
    const answer = await client.open();
    await answer.write('Hello, 世');
    await answer.flush();
    await visit();
    await show({ name: 'a', no: answer.streamNo }, { name: 'b', no: answer.streamNo });
    await until('a', { status: 'open', text: 'Hello, 世', attempt: 1, error: null });
    await answer.write('界 🌊');
    await answer.end();
    for (const name of ['a', 'b']) await until(name, { status: 'ended', text: 'Hello, 世界 🌊', items: [], error: null });
    expect(watched.begun).toBe(1);
  });

  test('[WATCH-8] a component that leaves stops watching, and the stream goes on; who comes later sees all of it', async () => {
    const answer = await client.open();
    await answer.write('before ');
    await answer.flush();
    await visit();
    const view = { name: 'a', no: answer.streamNo };
    await show(view);
    await until('a', { text: 'before ' });
    await show();
    await eventually(() => expect(watched.ended).toBe(1));
    await answer.write('after');
    expect(await answer.end()).toMatchObject({ status: 'ended' });
    await show(view);
    await until('a', { status: 'ended', text: 'before after' });
  });

  test('another streamNo starts anew, and none is idle', async () => {
    const [one, two] = [await client.open(), await client.open()];
    for (const [answer, text] of [[one, 'one'], [two, 'two']] as const) {
      await answer.write(text);
      await answer.flush();
    }
    await visit();
    await show({ name: 'a' });
    await until('a', { status: 'idle', text: '', attempt: 0 });
    await show({ name: 'a', no: one.streamNo });
    await until('a', { text: 'one' });
    await show({ name: 'a', no: two.streamNo });
    await until('a', { text: 'two' });
    expect((await seen('a')).texts).not.toContain(6);
    await show({ name: 'a' });
    await until('a', { status: 'idle', text: '' });
    for (const answer of [one, two]) await answer.abort('DONE');
  });

  test('an attempt that starts over clears what was shown; one that goes on keeps it', async () => {
    const first = await client.open();
    await first.write('wrong');
    await first.flush();
    await visit();
    await show({ name: 'a', no: first.streamNo });
    await until('a', { text: 'wrong', attempt: 1 });
    const second = await client.retry(first.streamNo, { keep: 'none' });
    await until('a', { text: '', attempt: 2 });
    await second.write('right');
    await second.flush();
    const third = await client.retry(first.streamNo);
    await third.write(' and on');
    await third.end();
    await until('a', { status: 'ended', text: 'right and on', attempt: 3 });
  });

  test('however fast a stream is, components render once a frame, and miss nothing', async () => {
    const answer = await client.open();
    await visit();
    await show({ name: 'a', no: answer.streamNo });
    await until('a', { status: 'open' });
    const words = Array.from({ length: 3_000 }, (_, index) => `${index} `);
    const startedAt = performance.now();
    for (const word of words) await answer.write(word);
    await answer.end();
    await until('a', { status: 'ended' });
    const frames = (performance.now() - startedAt) / 16;
    const { commits, now: { text } } = await seen('a');
    expect(text).toBe(words.join(''));
    expect(commits).toBeGreaterThan(1);
    // Mounting twice in strict mode, the first fragment and the end come beside the frames.
    expect(commits).toBeLessThan(frames + 6);
  });

  test('values of a JSON stream are items; of a latest stream there is only the newest one', async () => {
    const list = await client.open({ contentType: 'application/json' });
    const ticker = await client.open({ contentType: 'application/json', merge: 'latest' });
    await visit();
    await show({ name: 'list', no: list.streamNo }, { name: 'ticker', no: ticker.streamNo });
    for (const producer of [list, ticker]) {
      for (let price = 0; price < 5; price += 1) await producer.write({ price });
      await producer.end();
    }
    await until('list', { status: 'ended', text: '', items: [0, 1, 2, 3, 4].map((price) => ({ price })) });
    await until('ticker', { status: 'ended', items: [{ price: 4 }] });
    expect((await now('ticker')).items).toHaveLength(1);
  });

  test('lanes are shown together or apart, and each has a newest of its own', async () => {
    const lanes = async (options: OpenOptions, contents: unknown[]): Promise<string> => {
      const { streamNo } = await client.open(options);
      const fragments = contents.map((data, index) => ({ seq: index + 1, data, ...(index % 2 ? { lane: 'odd' } : {}) }));
      const headers = { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' };
      const url = `${system.url}/v1/streams/${streamNo}/fragments`;
      expect((await fetch(url, { method: 'POST', headers, body: JSON.stringify({ fragments }) })).status).toBe(200);
      return streamNo;
    };
    const no = await lanes({}, ['a', 'b', 'c', 'd']);
    await visit();
    await show(
      { name: 'all', no }, { name: 'odd', no, options: { lane: 'odd' } }, { name: 'none', no, options: { lane: '' } },
      { name: 'ticker', no: await lanes({ contentType: 'application/json', merge: 'latest' }, [1, 2, 3, 4]) },
    );
    await until('all', { text: 'abcd' });
    await until('odd', { text: 'bd' });
    await until('none', { text: 'ac' });
    await until('ticker', { items: [3, 4] });
  });

  test('with a cache a page that was reloaded shows at once what it had, without a connection, and goes on after it', async () => {
    const answer = await client.open();
    await answer.write('before ');
    await answer.flush();
    const view = { name: 'a', no: answer.streamNo, isCached: true };
    await visit();
    await show(view);
    await until('a', { text: 'before ' });
    await eventually(async () => expect(await page.evaluate(`kept('${answer.streamNo}')`)).toBe('before '));
    await page.route('**/events', (route) => route.abort());
    await page.reload();
    await show(view);
    await until('a', { text: 'before ', status: 'open' });
    await answer.write('after');
    await answer.end();
    await page.unroute('**/events');
    await until('a', { text: 'before after', status: 'ended' });
  });

  test('errors are told with their code; a failed stream keeps what it had', async () => {
    const [answer, other] = [await client.open(), await client.open()];
    await answer.write('half');
    await answer.abort('MODEL_GONE');
    await visit();
    await show({ name: 'failed', no: answer.streamNo }, { name: 'barred', no: answer.streamNo, options: { readToken: other.readToken } });
    await until('failed', { status: 'failed', text: 'half', code: 'STREAM_FINAL' });
    await until('barred', { status: 'connecting', text: '', code: 'FORBIDDEN' });
    await other.abort('DONE');
  });

  test('cancel ends the stream with a token that may, and its producer is told', async () => {
    const answer = await client.open({}, { heartbeatMs: 200 });
    const { token } = await client.issueToken({ streamNo: answer.streamNo, scope: 'read cancel' });
    await visit();
    await show({ name: 'a', no: answer.streamNo, options: { readToken: token } });
    await until('a', { status: 'open' });
    expect(await page.evaluate(`cancel('a', 'enough')`)).toBe('cancelled');
    await until('a', { status: 'cancelled', error: null });
    await eventually(() => expect(answer.signal.aborted).toBe(true));
  });

  test('a channel shows its streams, old and new, each growing to its own end, over one connection', async () => {
    const open = (title: string) => client.open({ channel: 'room', metadata: { title } });
    const channel = (): Promise<ChannelSnapshot> => now('a') as Promise<unknown> as Promise<ChannelSnapshot>;
    const untilStreams = (streams: object[]): Promise<void> =>
      eventually(async () => expect(await channel()).toMatchObject({ streams, error: null }));
    const first = await open('first');
    await first.write('one');
    await first.end();
    await visit();
    await show({ name: 'a', channel: 'room' }, { name: 'b', channel: 'room' });
    const ended = { streamNo: first.streamNo, text: 'one', status: 'ended', metadata: { title: 'first' }, error: null };
    await untilStreams([ended]);
    const rendered = await page.evaluate(`rows['${first.streamNo}']`);
    const second = await open('second');
    await second.write('two ');
    await untilStreams([ended, { text: 'two ', status: 'open', metadata: { title: 'second' } }]);
    await second.write('and more');
    await second.abort('MODEL_GONE');
    await untilStreams([ended, { text: 'two and more', status: 'failed' }]);
    expect((await channel()).streams.map(({ error }) => error !== null)).toEqual([false, true]);
    // The first did not change, so neither did its object, and what shows it is not rendered again.
    expect(await page.evaluate(`rows['${first.streamNo}']`)).toBe(rendered);
    expect(watched.begun).toBe(1);
    await show({ name: 'a', channel: 'room', options: { ended: 1 } });
    await untilStreams([{ streamNo: second.streamNo }]);
    await show({ name: 'barred', channel: 'room', options: { readToken: second.readToken } });
    await eventually(async () => expect(await now('barred')).toMatchObject({ streams: [], code: 'FORBIDDEN' }));
  });

  test('a page rendered by a server is taken over without a word from React', async () => {
    const answer = await client.open();
    await answer.write('there');
    await answer.end();
    const views = [{ name: 'a', no: answer.streamNo }];
    await visit('<p id="a">connecting<!-- --> <!-- -->[]</p>', views);
    await until('a', { status: 'ended', text: 'there' });
    expect((await seen('a')).texts[0]).toBe(0);
  });
}
