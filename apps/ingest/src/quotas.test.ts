import { WebSocket } from 'ws';
import { eventually } from '../../../test/support/eventually';
import { bearer, startIngest, TEST_KEY } from '../../../test/support/ingest-app';
import type { IngestApp } from '../../../test/support/ingest-app';
import { LineClient } from '../../../test/support/line-client';

let app: IngestApp | undefined;
afterEach(async () => {
  await app?.stop();
  app = undefined;
});
const start = async (quotas: string): Promise<IngestApp> => (app = await startIngest({ RIVULET_QUOTAS: quotas }));

/** Ms that this took. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function waitedSeconds({ frame }: IngestApp): Promise<number> {
  const text = await frame.metrics.registry.getSingleMetricAsString('rivulet_quota_wait_seconds_total');
  return Number(/\{key="test".* ([\d.]+)$/m.exec(text)?.[1] ?? 0);
}

test('[APPEND-13] a single append over the rate is 429 with Retry-After, names the quota, and is taken after that time', async () => {
  const { open, post, owner } = await start('test:bytesPerSecond=1000');
  const { streamNo, writeToken } = await open();
  const path = `/v1/streams/${streamNo}/fragments`;
  expect((await post(path, { seq: 1, data: 'x'.repeat(1_500) }, bearer(writeToken))).status).toBe(200);
  const refused = await post(path, { seq: 2, data: 'y' }, bearer(writeToken));
  expect(refused).toMatchObject({ status: 429, body: { code: 'QUOTA_EXCEEDED', quota: 'bytesPerSecond', limit: 1_000, key: 'test', next: 'retry' } });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.body.retryAfterMs).toBeLessThanOrEqual(501);
  // Nothing of it was written: the same call again is the first time.
  await eventually(async () => expect((await post(path, { seq: 2, data: 'y' }, bearer(writeToken))).status).toBe(200));
  await eventually(() => expect(owner.content(streamNo).length).toBe(1_501));
  expect(owner.streams.get(streamNo)?.state.next).toBe(3);
});

test('[APPEND-13] what is written with a token and with the key counts for the same key, over all its streams', async () => {
  const { open, post } = await start('test:fragmentsPerSecond=2');
  const [one, two] = [await open(), await open()];
  const fragments = [{ seq: 1, data: 'a' }, { data: 'b' }, { data: 'c' }];
  expect((await post(`/v1/streams/${one.streamNo}/fragments`, { fragments }, bearer(one.writeToken))).status).toBe(200);
  const second = await post(`/v1/streams/${two.streamNo}/fragments`, { seq: 1, data: 'a' }, { ...bearer(TEST_KEY), 'stream-epoch': '1' });
  expect(second.body).toMatchObject({ code: 'QUOTA_EXCEEDED', quota: 'fragmentsPerSecond' });
});

test('[APPEND-13] opens over the quota are 429: by rate with Retry-After, by number without, also through the pipe', async () => {
  const { open, post } = await start('test:openStreams=2');
  await open();
  await open();
  const refused = await post('/v1/streams', {});
  expect(refused).toMatchObject({ status: 429, body: { code: 'QUOTA_EXCEEDED', quota: 'openStreams', limit: 2, key: 'test' } });
  expect(refused.headers.get('retry-after')).toBeNull();
  expect((await post('/v1/pipe', 'text', { 'content-type': 'text/plain' })).body).toMatchObject({ code: 'QUOTA_EXCEEDED' });
});

test('[APPEND-13] an NDJSON body over the rate is slowed down, not refused, and loses nothing', async () => {
  const { url, open, owner } = await start('test:bytesPerSecond=40000');
  const { streamNo, writeToken } = await open();
  const client = new LineClient(`${url}/v1/streams/${streamNo}/fragments`, { ...bearer(writeToken), 'content-type': 'application/x-ndjson' });
  const lines = Array.from({ length: 40 }, (_, index) => `${JSON.stringify({ seq: index + 1, data: 'x'.repeat(2_000) })}\n`);
  // 80,000 bytes of which half a second's worth goes at once: the rest takes 1.5 s.
  const tookMs = await timed(async () => {
    client.send(lines.join(''));
    client.end();
    await client.ended();
  });
  expect(client.lines.at(-1)).toMatchObject({ to: 40 });
  expect(client.text).not.toContain('QUOTA_EXCEEDED');
  expect(tookMs).toBeGreaterThan(1_000);
  await eventually(() => expect(owner.content(streamNo).length).toBe(80_000));
  expect(await waitedSeconds(app!)).toBeGreaterThan(1);
});

test('[APPEND-13] who is held back keeps connection and lease, however long it takes', async () => {
  const { url, open, owner } = (app = await startIngest({ RIVULET_QUOTAS: 'test:bytesPerSecond=20000', RIVULET_CONNECTION_IDLE_MS_MAX: '1000' }));
  const { streamNo, writeToken } = await open({ leaseMs: 1_000 });
  const client = new LineClient(`${url}/v1/streams/${streamNo}/fragments`, { ...bearer(writeToken), 'content-type': 'application/x-ndjson' });
  const tookMs = await timed(async () => {
    client.send(`${JSON.stringify({ seq: 1, data: 'x'.repeat(60_000) })}\n`);
    client.end();
    await client.ended();
  });
  expect(client.lines).toEqual([{ from: 1, to: 1 }]);
  expect(tookMs).toBeGreaterThan(2_000);
  expect(owner.records.filter(({ record }) => record.kind === 'beat').length).toBeGreaterThan(0);
});

test('[APPEND-13] a pipe over the rate is slowed down and ends whole', async () => {
  const { url, owner } = await start('test:bytesPerSecond=100000');
  const client = new LineClient(`${url}/v1/pipe`, { ...bearer(TEST_KEY), 'content-type': 'application/octet-stream' });
  const opened = await client.line((line) => 'streamNo' in line);
  const tookMs = await timed(async () => {
    client.send(Buffer.alloc(200_000, 7));
    client.end();
    await client.ended();
  });
  expect(client.lines.at(-1)).toMatchObject({ status: 'ended', bytes: 200_000 });
  expect(tookMs).toBeGreaterThan(1_000);
  expect(owner.content(opened['streamNo'] as string).length).toBe(200_000);
});

test('[APPEND-13] a WebSocket over the rate is not read on, its frames are taken in turn, and its stream keeps its lease', async () => {
  const { url, open, owner } = await start('test:fragmentsPerSecond=4');
  const { streamNo, writeToken } = await open({ leaseMs: 1_000 });
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/streams/ws`, { headers: bearer(writeToken) });
  const replies: Record<string, unknown>[] = [];
  socket.on('message', (text) => replies.push(JSON.parse(String(text))));
  await new Promise((resolve) => socket.once('open', resolve));
  const tookMs = await timed(async () => {
    for (let seq = 1; seq <= 8; seq += 1) socket.send(JSON.stringify({ type: 'append', streamNo, seq, data: `${seq}` }));
    await eventually(() => expect(replies.some((reply) => reply['type'] === 'ack' && reply['to'] === 8)).toBe(true));
  });
  socket.close();
  expect(replies.filter((reply) => reply['type'] === 'problem')).toEqual([]);
  expect(tookMs).toBeGreaterThan(1_000);
  expect(owner.content(streamNo).toString()).toBe('12345678');
  expect(owner.streams.get(streamNo)?.state.status).toBe('open');
});
