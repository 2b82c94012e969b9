/** Plugin hosts as real processes on a real Kafka: one of two is killed -9 in the middle of answers. */
import { randomUUID } from 'node:crypto';
import { rivulet } from '@rivulet/client';
import type { ReaderEvent } from '@rivulet/protocol';
import { eventually } from '../support/eventually';
import { findBrowser, startBrowser } from '../support/browser';
import { PluginFolder } from '../support/plugin-folder';
import { slowdown } from '../support/slowdown';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const LEASE_MS = 4_000;
const WORDS = 80;
const WHOLE = Array.from({ length: WORDS }, (_, n) => `word ${n}, `).join('');

let system: System;
let folder: PluginFolder;

beforeAll(async () => {
  folder = new PluginFolder();
  const say = (skip: string): string => `pace: { intervalMs: 100 }, limits: { concurrency: 64 }, onFailure: { attempts: 4, keep: '${skip}' }, hooks: {
    async receive(ctx, request, stream) {
      let text = ''; for (let n = 0; n < ${WORDS}; n += 1) text += 'word ' + n + ', ';
      for (let at = request.written.bytes; at < text.length; at += 9) { await stream.write(text.slice(at, at + 9)); await pause(40); }
    } }`;
  folder.write('anew', say('none'));
  folder.write('goes-on', say('all'));
  folder.write('hangs', `hooks: { async route(ctx, { query }) { if (query.hang) for (;;); return { body: process.pid }; } }`);
  system = await startSystem({
    counts: { plugins: 2 }, proxy: true, env: { RIVULET_PLUGINS_DIR: folder.path, RIVULET_PLUGINS_LEASE_MS: String(LEASE_MS), RIVULET_SESSION_TIMEOUT_MS: '2000' },
  });
});
afterAll(async () => {
  await system?.stop();
  folder.remove();
});

/** Asks a host until the plugin runs there. */
async function ask(host: string, plugin: string): Promise<string> {
  return eventually(async () => {
    const response = await fetch(`${host}/v1/plugins/${plugin}/requests`, {
      method: 'POST', body: '{"input":null}',
      headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json', 'idempotency-key': randomUUID() },
    });
    expect(response.status).toBe(202);
    return ((await response.json()) as { streamNo: string }).streamNo;
  });
}

const route = async (host: string, query: string): Promise<number> =>
  Number(await (await fetch(`${host}/v1/plugins/hangs/routes/x${query}`, { headers: { authorization: `Bearer ${system.apiKey}` } })).text());

async function watch(streamNo: string, seen: { events: ReaderEvent[]; pauseMsMax: number; text: string }): Promise<void> {
  let at = performance.now();
  for await (const event of rivulet({ url: system.urls.fanout, token: system.apiKey }).watch(streamNo)) {
    seen.events.push(event);
    if (event.type === 'rewind') seen.text = '';
    if (event.type === 'fragment') {
      seen.text += event.text ?? '';
      seen.pauseMsMax = Math.max(seen.pauseMsMax, performance.now() - at);
      at = performance.now();
    }
  }
}

/** The page of the matrix, in a real browser where there is one, has so many cells of that state. */
async function pageShows(state: string, count: number): Promise<void> {
  const executable = findBrowser();
  if (executable === null) return;
  const browser = await startBrowser(executable);
  try {
    const page = await browser.newPage();
    await page.goto(`${system.urls.proxy}/plugins.html#key=${system.apiKey}`);
    await eventually(async () => expect(await page.locator(`#matrix td[data-state=${state}]`).count()).toBe(count));
    // One host that is silent is one thing to do.
    expect(await page.locator('#faults li').count()).toBe(state === 'running' ? 0 : 1);
    expect(await page.locator('#faults button', { hasText: 'copy' }).count()).toBe(state === 'running' ? 0 : 1);
    expect(await page.locator('#matrix th', { hasText: /reported \d+ s ago/ }).count()).toBe(2);
    await page.locator(`#matrix td[data-state=${state}] button`, { hasText: 'log' }).first().click();
    await eventually(async () => expect(await page.locator('#log-title').textContent()).toMatch(state === 'running' ? /^Log of \S+ on \S+$/ : /could not be asked$/));
  } finally {
    await browser.close();
  }
}

test('[PLUGIN-1] kill -9 of a host mid-answer: another goes on with the same streams within lease + 2 s, and readers see what an undisturbed run says', async () => {
  const hosts = system.instances.plugins.map(({ url }) => url);
  // A host takes what it is asked for itself: these are answered by the one that will be killed.
  const asked = await Promise.all(['anew', 'anew', 'goes-on', 'goes-on'].map(async (plugin) => ({ plugin, streamNo: await ask(hosts[0]!, plugin) })));
  const calm = await ask(hosts[1]!, 'anew');
  const seen = asked.map(() => ({ events: [] as ReaderEvent[], pauseMsMax: 0, text: '' }));
  const watched = asked.map(({ streamNo }, index) => watch(streamNo, seen[index]!));
  await eventually(() => expect(seen.every(({ text }) => text.length > 100)).toBe(true));
  const hanging = await route(hosts[0]!, '');
  void route(hosts[0]!, '?hang=1').catch(() => 0);
  await system.kill('plugins', 'SIGKILL', 0);
  // Also a plugin that hears nothing any more ends with its host.
  await eventually(() => expect(() => process.kill(hanging, 0)).toThrow('ESRCH'));
  await Promise.all(watched);
  for (const [index, { events, pauseMsMax, text }] of seen.entries()) {
    const { plugin, streamNo } = asked[index]!;
    expect(text).toBe(WHOLE);
    expect(events.at(-1)).toMatchObject({ type: 'final', status: 'ended', bytes: WHOLE.length });
    expect(events.filter(({ type }) => type === 'rewind')).toHaveLength(plugin === 'anew' ? 1 : 0);
    expect((await rivulet({ url: system.urls.fanout, token: system.apiKey }).state(streamNo)).epoch).toBe(2);
    expect(pauseMsMax).toBeLessThan(LEASE_MS + 2_000 * slowdown());
  }
  console.log(`longest pauses of the readers: ${seen.map(({ pauseMsMax }) => Math.round(pauseMsMax)).join(', ')} ms, lease ${LEASE_MS} ms`);
  // The other host's own answer noticed nothing.
  const summary = await rivulet({ url: system.urls.fanout, token: system.apiKey }).state(calm);
  expect(summary).toMatchObject({ status: 'ended', epoch: 1 });
  // Nobody says goodbye with a kill -9: its plugins are shown as those of a silent host, until it is back.
  const stateOf = async (): Promise<unknown> => {
    const response = await fetch(`${hosts[1]!}/v1/admin/plugins`, { headers: { authorization: `Bearer ${system.apiKey}` } });
    return ((await response.json()) as { host: string; state: string }[]).filter(({ host }) => host.endsWith(`:${new URL(hosts[0]!).port}`)).map(({ state }) => state);
  };
  await eventually(async () => expect(await stateOf()).toEqual(Array<string>(5).fill('HOST_SILENT')));
  await pageShows('HOST_SILENT', 5);
  await system.restart('plugins', 0);
  await eventually(async () => expect(await stateOf()).toEqual(Array<string>(5).fill('running')));
  await pageShows('running', 10);
});
