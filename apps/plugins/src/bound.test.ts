import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { AdminStream, StreamSummary } from '@rivulet/protocol';
import { topicNames } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { PluginFolder } from '../../../test/support/plugin-folder';
import { startPluginSystem } from '../../../test/support/plugin-system';
import type { PluginHostUnderTest, PluginSystem } from '../../../test/support/plugin-system';
import { freePort } from '../../../tools/free-port.cjs';
import { replyKey } from './reply-key';


let system: PluginSystem;
let folder: PluginFolder;
let host: PluginHostUnderTest;
let settings: Record<string, string>;
let told: string;

interface Told { id: string; streamNo: string; status: string; tries: number }
const toldEvents = (): Told[] => readFileSync(told, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Told);

beforeAll(async () => {
  const [hostPort, deadPort] = [await freePort(), await freePort()];
  system = await startPluginSystem({
    RIVULET_SERVICE_TOKEN: 'a-service-token-of-tests',
    RIVULET_ALLOCATOR_BINDINGS: JSON.stringify([
      { channel: 'support.*', plugin: 'say' }, { channel: 'support.*', plugin: 'audit', hooks: ['persistAfter'] },
      { channel: 'guarded', plugin: 'guard', hooks: ['send'] }, { channel: 'later', plugin: 'comes-later' },
      { channel: 'unguarded', plugin: 'gone', hooks: ['send'] },
    ]),
    // The first is no host at all: the next one is asked.
    RIVULET_ALLOCATOR_PLUGIN_HOSTS: `http://127.0.0.1:${deadPort},http://127.0.0.1:${hostPort}`,
  });
  folder = new PluginFolder();
  told = path.join(folder.path, '.told');
  writeFileSync(told, '');
  chmodSync(told, 0o666);
  folder.write('say', `pace: { intervalMs: 0 }, hooks: { async receive(ctx, request, stream) {
    const turns = await ctx.history();
    await stream.write('[' + turns.map((turn) => turn.input.slice(0, 20) + '>' + turn.text.length).join(' ') + '] ' + request.input.length + ' ' + request.inReplyTo);
  } }`);
  folder.write('audit', `hooks: { async persistAfter(ctx, event) {
    tries += 1;
    if (tries % 2 === 1) throw new Error('database away');
    require('node:fs').appendFileSync('${told}', JSON.stringify({ ...event, tries }) + '\\n');
  } }`, '1.0.0', 'let tries = 0;');
  folder.write('guard', `hooks: { send(ctx, open) {
    if (open.metadata.crash) process.exit(1);
    if (open.metadata.large) return { allow: true, metadata: { filler: 'x'.repeat(10000) } };
    return open.metadata.ok ? { allow: true, metadata: { checkedBy: open.by, in: open.channel } } : { allow: false, code: 'NOT_TODAY', text: 'Come back tomorrow.' };
  } }`);
  settings = { RIVULET_PLUGINS_DIR: folder.path, RIVULET_PLUGINS_PORT: String(hostPort), RIVULET_PLUGINS_INPUT_BYTES_MAX: '20000' };
  host = await system.addHost(settings);
  await eventually(() => expect(host.built.plugins.all().map(({ state, fault }) => [state, fault])).toEqual(Array(3).fill(['running', null])));
});

afterAll(async () => {
  await system.stop();
  folder.remove();
});

const write = async (channel: string, text: string, more: object = {}): Promise<string> => {
  const stream = await system.client.open({ channel, ...more });
  await stream.write(text);
  await stream.end();
  return stream.streamNo;
};
const admin = async <T>(query: string): Promise<T> =>
  (await (await fetch(`${system.url}/v1/admin/streams${query}`, { headers: { authorization: `Bearer ${system.key}` } })).json()) as T;
/** The streams that answer one, all of them. */
const answersTo = async (channel: string, streamNo: string): Promise<StreamSummary[]> =>
  (await admin<{ streams: StreamSummary[] }>(`?channel=${channel}`)).streams.filter(({ metadata }) => metadata['inReplyTo'] === streamNo);
const answerTo = (channel: string, streamNo: string, status = 'ended'): Promise<StreamSummary> => eventually(async () => {
  const answers = await answersTo(channel, streamNo);
  expect(answers).toMatchObject([{ status }]);
  return answers[0]!;
});
const recordsOf = async (wanted: string): Promise<(Buffer | null)[]> => {
  const topic = topicNames('rivulet').requests;
  const partitions = Array.from({ length: await system.log.partitions(topic) }, (_, partition) => partition);
  const batches = await Promise.all(partitions.map((partition) => system.log.scan(topic, partition, 0)));
  return batches.flatMap(({ records }) => records.filter(({ key }) => key === wanted).map(({ value }) => value));
};
/** Outcomes of what was done for a stream, in the order of the log. */
const marksOf = async (streamNo: string, name: string): Promise<string[]> =>
  (await recordsOf(`${streamNo}#${name}`)).flatMap((value) => (value ? (JSON.parse(String(value)) as { outcome: string }).outcome : []));
/** @returns how many bound streams are not done yet, of a plugin */
const waitingFor = async (plugin: string): Promise<number> => {
  const page = await (await fetch(`${host.url}/metrics`)).text();
  return Number(new RegExp(`^rivulet_plugin_bound_waiting\\{.*plugin="${plugin}".*\\} (\\d+)$`, 'm').exec(page)?.[1] ?? 0);
};
const restart = async (): Promise<void> => {
  await host.stop();
  host = await system.addHost(settings);
};

test('[PLUGIN-5] a stream that ends in a bound channel is answered there, once, by one stream that names it', async () => {
  const asking = await write('support.1', 'How do I begin?');
  const answer = await answerTo('support.1', asking);
  expect(await system.client.watch(answer.streamNo).text()).toBe(`[] 15 ${asking}`);
  expect(answer.metadata).toMatchObject({ plugin: 'say', inReplyTo: asking, input: 'How do I begin?', tellPlugins: ['audit'] });
  // It asks nobody itself, nor does anything else come after it.
  expect(answer.metadata).not.toHaveProperty('askPlugin');
  await eventually(async () => expect(await marksOf(asking, 'persistAfter/audit')).toEqual(['done']));
  expect((await admin<{ streams: unknown[] }>('?channel=support.1')).streams).toHaveLength(2);
});

test('[PLUGIN-5] the history of a bound channel has each question once, before its answer, also one too large to be kept with it', async () => {
  const first = await write('support.2', 'a'.repeat(5_000));
  await answerTo('support.2', first);
  const second = await write('support.2', 'And then?');
  const answer = await answerTo('support.2', second);
  expect(await system.client.watch(answer.streamNo).text()).toBe(`[${'a'.repeat(20)}>${`[] 5000 ${first}`.length}] 9 ${second}`);
});

test('[PLUGIN-5] metadata asks a plugin too, in any channel; a misspelt one is refused', async () => {
  const asking = await write('elsewhere', 'Hello', { metadata: { askPlugin: 'say' } });
  expect(await system.client.watch((await answerTo('elsewhere', asking)).streamNo).text()).toBe(`[] 5 ${asking}`);
  await expect(system.client.open({ metadata: { askPlugin: 'No Good' } })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  await expect(system.client.open({ metadata: { tellPlugins: 'audit' } })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

test('[PLUGIN-5] what cannot be an input is answered by a stream that says so; a stream that was cancelled by none', async () => {
  const large = await write('support.3', 'x'.repeat(30_000));
  expect((await answerTo('support.3', large, 'failed')).final).toMatchObject({ reason: 'INPUT_TOO_LARGE' });
  const bytes = await write('support.3', 'x', { contentType: 'application/octet-stream' });
  expect((await answerTo('support.3', bytes, 'failed')).final).toMatchObject({ reason: 'INPUT_INVALID' });
  const cancelled = await system.client.open({ channel: 'support.3' });
  await cancelled.write('never mind');
  await cancelled.flush();
  await system.client.cancel(cancelled.streamNo);
  await eventually(async () => expect(await marksOf(cancelled.streamNo, 'receive/say')).toEqual(['not_ended']));
  expect(await answersTo('support.3', cancelled.streamNo)).toEqual([]);
  const metrics = await (await fetch(`${host.url}/metrics`)).text();
  expect(metrics).toMatch(/rivulet_plugin_bound_total\{.*plugin="say",hook="receive",outcome="input_too_large".*\} 1/);
});

test('[PLUGIN-5] a host that died after the answer was opened, or after it was asked for, leaves one answer', async () => {
  await host.stop();
  const opened = await write('support.4', 'Opened already');
  const { openedBy } = await admin<AdminStream>(`/${opened}`);
  const { final } = await system.client.state(opened);
  const before = await system.allocator.open({
    principal: openedBy, idempotencyKey: replyKey(opened, 'say', final!.at), answerOf: 'say',
    options: { channel: 'support.4', leaseMs: 60_000, metadata: { plugin: 'say', inReplyTo: opened } },
  });
  host = await system.addHost(settings);
  const answer = await answerTo('support.4', opened);
  expect(answer).toMatchObject({ streamNo: before.streamNo, epoch: 1 });
  // As if its mark had never been written: it is asked for once more, and nothing comes of it.
  await eventually(async () => expect(await marksOf(opened, 'receive/say')).toEqual(['done']));
  const requests = topicNames('rivulet').requests;
  const partitions = await system.log.partitions(requests);
  const eraser = system.log.appender<string>({
    topic: requests, class: 'control', queueBytesMax: 1e6, batchBytesMax: 1e6, batchEntriesMax: 10, deadlineMs: 5_000,
    encode: (keys) => keys.map((key) => ({ key, value: null, entries: 1 })),
  });
  await host.stop();
  for (let partition = 0; partition < partitions; partition += 1) await eraser.append(partition, `${opened}#receive/say`, 50);
  await eraser.close();
  host = await system.addHost(settings);
  await eventually(async () => expect(await marksOf(opened, 'receive/say')).toEqual(['done', 'done']));
  const after = await answersTo('support.4', opened);
  expect(after).toEqual([answer]);
});

test('what was done for a stream is forgotten with the stream, which is not answered again by a host that reads all from the start', async () => {
  const asking = await write('support.8', 'Gone soon', { retentionMs: 2_000 });
  const answer = await answerTo('support.8', asking);
  // A tombstone beside each mark.
  const cleared = async (): Promise<string[]> => {
    const found = await Promise.all(['receive/say', 'persistAfter/audit'].map((name) => recordsOf(`${asking}#${name}`)));
    return found.map((values) => values.map((value) => (value === null ? 'gone' : 'mark')).join(' '));
  };
  await eventually(async () => expect(await cleared()).toEqual(['mark gone', 'mark gone']));
  await restart();
  const after = await write('support.8', 'Still there?');
  await answerTo('support.8', after);
  expect(await cleared()).toEqual(['mark gone', 'mark gone']);
  expect(await answersTo('support.8', asking)).toEqual([answer]);
});

test('[PLUGIN-5] what ended while no host ran is answered when one is back, and nothing of before the binding', async () => {
  const unbound = await write('loose', 'nobody asked for this');
  await host.stop();
  const asking = await write('support.5', 'Is anybody there?');
  host = await system.addHost(settings);
  await answerTo('support.5', asking);
  await restart();
  const marker = await write('support.5', 'and now?');
  await answerTo('support.5', marker);
  expect(await answersTo('support.5', asking)).toHaveLength(1);
  expect(await answersTo('loose', unbound)).toEqual([]);
});

test('[PLUGIN-5] two hosts share the bound streams out, and answer each once', async () => {
  const other = await system.addHost({ ...settings, RIVULET_PLUGINS_PORT: '0' });
  await eventually(() => expect([other.built.desk.partitions.length > 0, other.built.plugins.host('say')?.state]).toEqual([true, 'running']));
  const asked = await Promise.all(Array.from({ length: 24 }, (_, n) => write(`support.many-${n % 3}`, `question ${n}`)));
  for (const [n, streamNo] of asked.entries()) await answerTo(`support.many-${n % 3}`, streamNo);
  await other.stop();
  expect((await admin<{ streams: unknown[] }>('?channel=support.many-0')).streams).toHaveLength(16);
});

test('[PLUGIN-5] a plugin that comes later answers what was asked of it before', async () => {
  const asking = await write('later', 'Are you there yet?');
  await eventually(async () => expect(await waitingFor('comes-later')).toBe(1));
  folder.write('comes-later', `pace: { intervalMs: 0 }, hooks: { async receive(ctx, request, stream) { await stream.write('here'); } }`);
  expect(await system.client.watch((await answerTo('later', asking)).streamNo).text()).toBe('here');
});

test('[PLUGIN-6] the hook send is asked once for an open in a bound channel: it refuses with its own words, or adds to the metadata', async () => {
  await expect(system.client.open({ channel: 'guarded' })).rejects.toMatchObject({ code: 'PLUGIN_REFUSED', details: { plugin: 'guard', pluginCode: 'NOT_TODAY' } });
  const refused = await fetch(`${system.url}/v1/streams`, {
    method: 'POST', body: '{"channel":"guarded"}', headers: { authorization: `Bearer ${system.key}`, 'content-type': 'application/json' },
  });
  expect([refused.status, await refused.json()]).toMatchObject([403, { pluginCode: 'NOT_TODAY', detail: expect.stringContaining('Come back tomorrow.') }]);
  const { streamNo } = await system.client.open({ channel: 'guarded', metadata: { ok: true } });
  expect((await system.client.state(streamNo)).metadata).toEqual({ ok: true, checkedBy: 'test', in: 'guarded' });
  await expect(system.client.open({ channel: 'guarded', metadata: { large: true } })).rejects.toMatchObject({ code: 'PLUGIN_FAILED' });
  // Nothing of the kind for other channels.
  await system.client.open({ channel: 'guarded-not' });
});

test('[PLUGIN-6] where no host can answer, nothing is opened and the producer is told to come again', async () => {
  const response = await fetch(`${system.url}/v1/streams`, {
    method: 'POST', body: '{"channel":"unguarded"}', headers: { authorization: `Bearer ${system.key}`, 'content-type': 'application/json' },
  });
  expect([response.status, response.headers.get('retry-after'), ((await response.json()) as { code: string }).code]).toEqual([503, '1', 'PLUGIN_NOT_RUNNING']);
  expect((await admin<{ streams: unknown[] }>('?channel=unguarded')).streams).toEqual([]);
});

test('[PLUGIN-6] only our own processes may ask the hook', async () => {
  expect(await host.call('/v1/plugins/guard/send', { method: 'POST', body: '{"channel":"guarded","by":"x","metadata":{"ok":true}}' })).toMatchObject({ status: 401 });
  const headers = { authorization: 'Bearer a-service-token-of-tests' };
  expect(await host.call('/v1/plugins/guard/send', { method: 'POST', headers, body: '{"channel":"guarded"}' })).toMatchObject({ status: 400, body: { code: 'OPTIONS_INVALID' } });
  expect(await host.call('/v1/plugins/audit/send', { method: 'POST', headers, body: '{"channel":"","by":"","metadata":{}}' })).toMatchObject({ status: 502, body: { pluginCode: 'NO_HOOK' } });
});

test('[PLUGIN-7] persistAfter is told of every stream that is final in its channel, also of answers and of cancelled ones, again after it failed', async () => {
  const asking = await write('support.6', 'Write this down.');
  const answer = await answerTo('support.6', asking);
  const cancelled = await system.client.open({ channel: 'support.6' });
  await cancelled.write('not this');
  await cancelled.flush();
  await system.client.cancel(cancelled.streamNo);
  for (const [streamNo, status] of [[asking, 'ended'], [answer.streamNo, 'ended'], [cancelled.streamNo, 'cancelled']] as const) {
    await eventually(() => expect(toldEvents().filter((event) => event.streamNo === streamNo)).toMatchObject([{ id: `${streamNo}/1/${status}`, status }]));
  }
});

test('[PLUGIN-7] what became final while no host ran is told when one is back, and what was told is not told again', async () => {
  await eventually(async () => expect(await waitingFor('audit')).toBe(0));
  await host.stop();
  const streamNo = await write('support.7', 'Nobody saw this.');
  const before = toldEvents().length;
  host = await system.addHost(settings);
  const answer = await answerTo('support.7', streamNo);
  const toldSince = (): string[] => toldEvents().slice(before).map((event) => event.streamNo).sort();
  await eventually(() => expect(toldSince()).toEqual([streamNo, answer.streamNo].sort()));
});
