/** Channels bound to plugins, with hosts as real processes on a real Kafka that are killed -9: the one that answers, and all of them. */
import { rivulet } from '@rivulet/client';
import type { Rivulet } from '@rivulet/client';
import type { StreamSummary } from '@rivulet/protocol';
import { eventually } from '../support/eventually';
import { PluginFolder } from '../support/plugin-folder';
import { startSystem } from '../support/system';
import type { System } from '../support/system';

const WORDS = 40;
let system: System;
let folder: PluginFolder;
let client: Rivulet;

beforeAll(async () => {
  folder = new PluginFolder();
  folder.write('reply', `pace: { intervalMs: 100 }, onFailure: { attempts: 8 }, hooks: { async receive(ctx, request, stream) {
    for (let n = 0; n < ${WORDS}; n += 1) { await stream.write(request.input + n + ' '); await pause(40); }
  } }`);
  folder.write('guard', `hooks: { send(ctx, open) {
    return open.metadata.isRude ? { allow: false, code: 'RUDE', text: 'Say it nicely.' } : { allow: true, metadata: { isChecked: true } };
  } }`);
  system = await startSystem({
    counts: { plugins: 2 },
    env: {
      RIVULET_PLUGINS_DIR: folder.path, RIVULET_PLUGINS_LEASE_MS: '4000', RIVULET_SESSION_TIMEOUT_MS: '2000', RIVULET_ALLOCATOR_SEND_MS_MAX: '5000',
      RIVULET_ALLOCATOR_BINDINGS: JSON.stringify([{ channel: 'support.*', plugin: 'reply' }, { channel: 'support.*', plugin: 'guard', hooks: ['send'] }]),
    },
  });
  client = rivulet({ url: system.urls.ingest, token: system.apiKey });
});
afterAll(async () => {
  await system?.stop();
  folder.remove();
});

const asking = async (channel: string): Promise<{ streamNo: string; end(): Promise<unknown> }> => {
  // The hook needs a host that runs the plugin: until then the open is refused, to come again.
  const stream = await eventually(() => client.open({ channel }));
  await stream.write('ha');
  await stream.flush();
  return stream;
};
const streamsOf = async (channel: string): Promise<StreamSummary[]> => {
  const response = await fetch(`${system.urls.allocator}/v1/admin/streams?channel=${channel}`, { headers: { authorization: `Bearer ${system.apiKey}` } });
  return ((await response.json()) as { streams: StreamSummary[] }).streams;
};
const WHOLE = Array.from({ length: WORDS }, (_, n) => `ha${n} `).join('');
/** Nothing is in the channel but the one that asks and one that answers it, whole. */
const answeredOnce = (channel: string, streamNo: string): Promise<StreamSummary> => eventually(async () => {
  const answers = (await streamsOf(channel)).filter((stream) => stream.streamNo !== streamNo);
  expect(answers).toMatchObject([{ status: 'ended', bytes: WHOLE.length, metadata: { inReplyTo: streamNo, plugin: 'reply' } }]);
  return answers[0]!;
});
const text = (streamNo: string): Promise<string> => rivulet({ url: system.urls.fanout, token: system.apiKey }).watch(streamNo).text();

test('[PLUGIN-6] an open is judged by a plugin of another process: refused with its words, or with its metadata', async () => {
  const nice = await asking('support.nice');
  expect((await streamsOf('support.nice')).find(({ streamNo }) => streamNo === nice.streamNo)?.metadata).toEqual({ isChecked: true, askPlugin: 'reply' });
  await nice.end();
  await expect(client.open({ channel: 'support.rude', metadata: { isRude: true } })).rejects.toMatchObject({
    code: 'PLUGIN_REFUSED', details: { pluginCode: 'RUDE', detail: expect.stringContaining('Say it nicely.') },
  });
  expect(await streamsOf('support.rude')).toEqual([]);
});

test('[PLUGIN-5] kill -9 of the host that answers, and of all hosts before one has seen the end: each is answered once, on one stream', async () => {
  const asked = await Promise.all(Array.from({ length: 6 }, (_, n) => asking(`support.${n}`)));
  const [early, late] = [asked.slice(0, 3), asked.slice(3)];
  await Promise.all(early.map((stream) => stream.end()));
  // One host dies while the answers are being written: it has some of them, whichever.
  await eventually(async () => expect((await streamsOf('support.0')).find(({ metadata }) => metadata['inReplyTo'])?.sequence).toBeGreaterThan(2));
  await system.kill('plugins', 'SIGKILL', 0);
  for (const [n, { streamNo }] of early.entries()) await answeredOnce(`support.${n}`, streamNo);
  await system.kill('plugins', 'SIGKILL', 1);
  // These end while there is no host at all.
  await Promise.all(late.map((stream) => stream.end()));
  await Promise.all([0, 1].map((index) => system.restart('plugins', index)));
  for (const [n, { streamNo }] of asked.entries()) {
    const answer = await answeredOnce(`support.${n}`, streamNo);
    expect(await text(answer.streamNo)).toBe(WHOLE);
  }
  // Once more all hosts are new, and read everything again: nothing is answered a second time, and no answer is answered.
  await Promise.all([0, 1].map((index) => system.restart('plugins', index)));
  const last = await asking('support.last');
  await last.end();
  await answeredOnce('support.last', last.streamNo);
  for (const n of asked.keys()) expect(await streamsOf(`support.${n}`)).toHaveLength(2);
});
