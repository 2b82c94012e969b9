import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ReaderEvent } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { PluginFolder } from '../../../test/support/plugin-folder';
import { startPluginSystem } from '../../../test/support/plugin-system';
import type { PluginHostUnderTest, PluginSystem } from '../../../test/support/plugin-system';
import { slowdown } from '../../../test/support/slowdown';

let system: PluginSystem;
let folder: PluginFolder;
let host: PluginHostUnderTest;

const SAY = `async receive(ctx, request, stream) { for (const word of request.input.words) await stream.write(word); return { words: request.input.words.length }; }`;

beforeAll(async () => {
  system = await startPluginSystem();
  folder = new PluginFolder();
  folder.write('say', `pace: { intervalMs: 0 }, hooks: { ${SAY} }`);
  folder.write('slow', `limits: { concurrency: 256 }, pace: { intervalMs: 100 }, hooks: { async receive(ctx, request, stream) {
    stream.signal.addEventListener('abort', () => ctx.log('stopped by ' + stream.signal.reason.code));
    for (let n = 0; n < request.input.count; n += 1) { await stream.write('w' + n + ' '); await pause(10); }
  } }`);
  folder.write('flaky', `pace: { intervalMs: 0 }, onFailure: { attempts: 3 }, hooks: { async receive(ctx, request, stream) {
    await stream.write('half of attempt ' + request.attempt);
    if (request.attempt < request.input.fine) throw new Error('no luck');
    await stream.write(', whole');
  } }`);
  folder.write('crash', `pace: { intervalMs: 0 }, hooks: { async receive(ctx, request, stream) {
    await stream.write('attempt ' + request.attempt); await stream.flush();
    if (request.attempt === 1) process.exit(3);
  } }`);
  folder.write('steps', `hooks: { async receive(ctx, request, stream) {
    stream.progress({ done: 3, total: 8, note: 'of eight' });
    await new Promise((resolve) => stream.signal.addEventListener('abort', resolve));
  } }`);
  folder.write('guard', `hooks: {
    async send(ctx, open) { return open.input.ok ? { allow: true, metadata: { seen: open.by } } : { allow: false, code: 'NOT_TODAY', text: 'Come back tomorrow.' }; },
    async receive(ctx, request, stream) { await stream.write('ok'); },
    async route(ctx, { method, path, query, body }) { return { status: 201, headers: { 'x-evil': '1', 'content-type': 'text/html' }, body: [method, path, query.q, JSON.stringify(body)].join(' ') }; },
  }`);
  folder.write('narrow', `limits: { concurrency: 2 }, pace: { intervalMs: 0 }, hooks: { async receive(ctx, request, stream) {
    at += 1; await stream.write(String(at)); await pause(30); at -= 1;
  } }`, '1.0.0', 'let at = 0;');
  const events = path.join(folder.path, '.events');
  writeFileSync(events, '');
  chmodSync(events, 0o666);
  folder.write('audit', `hooks: {
    async receive(ctx, request, stream) { await stream.write('x'); },
    async persistAfter(ctx, event) { tries += 1; if (tries === 1) throw new Error('database away'); require('node:fs').appendFileSync('${events}', JSON.stringify(event) + '\\n'); },
  }`, '1.0.0', 'let tries = 0;');
  host = await system.addHost({ RIVULET_PLUGINS_DIR: folder.path });
  await eventually(() => expect(host.built.plugins.all().map(({ source, state, fault }) => [source.name, state, fault])).toEqual(
    ['audit', 'crash', 'flaky', 'guard', 'narrow', 'say', 'slow', 'steps'].map((name) => [name, 'running', null]),
  ));
});

afterAll(async () => {
  await system.stop();
  folder.remove();
});

const ask = async (plugin: string, input: unknown, more: object = {}): Promise<{ streamNo: string; readToken: string }> => {
  const { status, body } = await host.ask(plugin, { input, ...more });
  expect({ status, body }).toMatchObject({ status: 202 });
  return body as { streamNo: string; readToken: string };
};
const eventsOf = async (streamNo: string): Promise<ReaderEvent[]> => {
  const events: ReaderEvent[] = [];
  for await (const event of system.client.watch(streamNo)) events.push(event);
  return events;
};

test('a request is a stream at once, answered by the plugin, with what receive returned in the final event', async () => {
  const { streamNo } = await ask('say', { words: ['one ', 'two'] }, { channel: 'c' });
  expect(await system.client.watch(streamNo).text()).toBe('one two');
  expect((await system.client.state(streamNo)).final).toMatchObject({ status: 'ended', metadata: { words: 2 } });
});

test('the same Idempotency-Key is the same stream, answered once', async () => {
  const key = { 'idempotency-key': 'one-question' };
  const [one, two] = await Promise.all([host.ask('say', { input: { words: ['a'] } }, key), host.ask('say', { input: { words: ['a'] } }, key)]);
  expect(one.body['streamNo']).toBe(two.body['streamNo']);
  expect(await system.client.watch(one.body['streamNo'] as string).text()).toBe('a');
});

test('an answer is paced: the first fragment at once, then one per tick', async () => {
  const { streamNo } = await ask('slow', { count: 60 });
  const fragments = (await eventsOf(streamNo)).filter((event) => event.type === 'fragment');
  expect(fragments[0]).toMatchObject({ from: 1, text: 'w0 ' });
  const { final } = await system.client.state(streamNo);
  // 60 words in 600 ms or more: far fewer fragments than words.
  expect(final?.sequence).toBeLessThan(40);
  expect(fragments.map((event) => event.text).join('')).toBe(Array.from({ length: 60 }, (_, n) => `w${n} `).join(''));
});

test('a throw is another attempt on the same stream; readers rewind, and see no text twice', async () => {
  const { streamNo } = await ask('flaky', { fine: 3 });
  expect(await system.client.watch(streamNo).text()).toBe('half of attempt 3, whole');
  expect((await system.client.state(streamNo)).attempts).toHaveLength(3);
});

test('when all attempts have failed the stream is failed, with the plugin\'s words', async () => {
  const { streamNo } = await ask('flaky', { fine: 9 });
  await eventually(async () => expect((await system.client.state(streamNo)).final).toMatchObject({ status: 'failed', reason: 'PLUGIN_FAILED', message: 'no luck' }));
});

test('a process that dies in the middle is started again, and goes on with the same stream', async () => {
  const { streamNo } = await ask('crash', {});
  expect(await system.client.watch(streamNo).text()).toBe('attempt 2');
});

test('beyond its limit of answers at once the others wait their turn, their leases kept', async () => {
  const asked = await Promise.all(Array.from({ length: 12 }, () => ask('narrow', {})));
  const texts = await Promise.all(asked.map(({ streamNo }) => system.client.watch(streamNo).text()));
  expect(Math.max(...texts.map(Number))).toBe(2);
  for (const { streamNo } of asked) expect((await system.client.state(streamNo)).epoch).toBe(1);
});

test('200 answers at once on one host are each whole', async () => {
  // Of its own: with the lease of the other one, 1 s, heartbeats alone would be six hundred a second, in the process that serves them.
  const patient = await system.addHost({ RIVULET_PLUGINS_DIR: folder.path, RIVULET_PLUGINS_LEASE_MS: '60000' });
  await eventually(() => expect([patient.built.plugins.host('slow')?.state, patient.built.desk.partitions.length > 0]).toEqual(['running', true]));
  const asked = await Promise.all(Array.from({ length: 200 }, () => patient.ask('slow', { input: { count: 20 } })));
  const texts = await Promise.all(asked.map(({ body }) => system.client.watch(body['streamNo'] as string, { transport: 'ws' }).text()));
  expect(new Set(texts)).toEqual(new Set([Array.from({ length: 20 }, (_, n) => `w${n} `).join('')]));
  await patient.stop();
});

test('a cancel fires the signal in the plugin within a second', async () => {
  const { streamNo } = await ask('slow', { count: 100_000 });
  await eventually(async () => expect((await system.client.state(streamNo)).sequence).toBeGreaterThan(1));
  const cancelledAt = Date.now();
  await system.client.cancel(streamNo, 'enough');
  const log = host.built.plugins.host('slow')!.log;
  await eventually(() => expect(log.newest(1)[0]?.line).toBe('stopped by CANCELLED'));
  expect(log.newest(1)[0]!.at - cancelledAt).toBeLessThan(1_000 * slowdown());
});

test('what does not fit is refused before a stream is opened', async () => {
  expect(await host.ask('nobody', {})).toMatchObject({ status: 404, body: { code: 'PLUGIN_NOT_FOUND' } });
  expect(await host.ask('say', { inptu: 1 })).toMatchObject({ status: 400, body: { code: 'OPTIONS_INVALID' } });
  expect(await host.call('/v1/plugins/say/requests', { method: 'POST', body: '{}', headers: { authorization: 'Bearer rk_no_no' } }))
    .toMatchObject({ status: 401 });
});

test('the hook send allows, refuses with its own code, and adds metadata', async () => {
  expect(await host.ask('guard', { input: {} })).toMatchObject({ status: 403, body: { code: 'PLUGIN_REFUSED', pluginCode: 'NOT_TODAY' } });
  const { streamNo } = await ask('guard', { ok: true });
  expect(await system.client.watch(streamNo).text()).toBe('ok');
  expect((await system.client.state(streamNo)).metadata).toMatchObject({ seen: 'test', plugin: 'guard' });
});

test('a plugin\'s own route answers, with nothing that speaks for the origin', async () => {
  const response = await fetch(`${host.url}/v1/plugins/guard/routes/a/b?q=1`, { method: 'POST', headers: { authorization: `Bearer ${system.key}`, 'content-type': 'application/json' }, body: '{"n":1}' });
  expect([response.status, response.headers.get('content-type'), response.headers.get('x-evil')]).toEqual([201, 'text/plain; charset=utf-8', null]);
  expect(await response.text()).toBe('POST /a/b 1 {"n":1}');
});

test('[PLUGIN-3] persistAfter is told again after it failed, with the same id', async () => {
  const { streamNo } = await ask('audit', {});
  const file = path.join(folder.path, '.events');
  const told = (): { id: string; streamNo: string; status: string }[] => readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  await eventually(() => expect(told()).toMatchObject([{ id: `${streamNo}/1/ended`, streamNo, status: 'ended' }]));
});

test('what a plugin says of its progress is shown by every host, for as long as it answers', async () => {
  const other = await system.addHost({ RIVULET_PLUGINS_DIR: folder.path });
  const { streamNo } = await ask('steps', {}, { channel: 'steps' });
  const shown = async (from: PluginHostUnderTest): Promise<unknown> => (await from.call('/v1/admin/plugins/steps/answers')).body;
  for (const from of [host, other]) {
    await eventually(async () => expect(await shown(from)).toMatchObject([
      { host: host.built.host, streamNo, plugin: 'steps', channel: 'steps', state: 'answering', epoch: 1, done: 3, total: 8, note: 'of eight' },
    ]));
  }
  await system.client.cancel(streamNo);
  for (const from of [host, other]) await eventually(async () => expect(await shown(from)).toEqual([]));
  await other.stop();
});

test('[PLUGIN-1] two hosts that both believe a request is theirs write one answer', async () => {
  const other = await system.addHost({ RIVULET_PLUGINS_DIR: folder.path });
  await eventually(() => expect([other.built.plugins.host('slow')?.state, other.built.desk.partitions.length > 0]).toEqual(['running', true]));
  const opened = await system.client.open({ metadata: { plugin: 'slow' }, leaseMs: 1_000 });
  opened.release();
  const request = { streamNo: opened.streamNo, plugin: 'slow', channel: '', input: { count: 60 }, by: 'test', at: Date.now() };
  // Each into a partition of its own host, as if the group had given both to both.
  await Promise.all([host, other].map(({ built }) => built.desk.submit(request)));
  await eventually(() => expect([host, other].map(({ built }) => built.desk.answering.has(opened.streamNo))).toEqual([true, true]));
  expect(await system.client.watch(opened.streamNo).text()).toBe(Array.from({ length: 60 }, (_, n) => `w${n} `).join(''));
  expect(await system.client.state(opened.streamNo)).toMatchObject({ status: 'ended', epoch: 1 });
  await other.stop();
});

test('[PLUGIN-1] a host that goes away in the middle of an answer is replaced on the same stream, as if nothing had happened', async () => {
  const { streamNo } = await ask('slow', { count: 150 });
  await eventually(async () => expect((await system.client.state(streamNo)).sequence).toBeGreaterThan(1));
  const other = await system.addHost({ RIVULET_PLUGINS_DIR: folder.path });
  await eventually(() => expect(other.built.plugins.host('slow')?.state).toBe('running'));
  const goneAt = performance.now();
  await host.stop();
  expect(await system.client.watch(streamNo).text()).toBe(Array.from({ length: 150 }, (_, n) => `w${n} `).join(''));
  const state = await system.client.state(streamNo);
  expect(state.epoch).toBe(2);
  expect(performance.now() - goneAt).toBeLessThan((1_000 + 2_000 + 5_000) * slowdown());
});
