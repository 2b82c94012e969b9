import { createHash, randomBytes } from 'node:crypto';
import { eventually } from '../../../test/support/eventually';
import { bearer, startIngest, TEST_KEY, VIEWER_KEY } from '../../../test/support/ingest-app';
import type { IngestApp } from '../../../test/support/ingest-app';
import { LineClient } from '../../../test/support/line-client';

let app: IngestApp;
beforeAll(async () => {
  app = await startIngest({ RIVULET_INGEST_KEEP_ALIVE_MS: '50' });
});
afterAll(() => app.stop());

const pipe = (query = '', headers: Record<string, string> = {}, method = 'PUT', { url } = app): LineClient =>
  new LineClient(`${url}/v1/pipe${query}`, { ...bearer(TEST_KEY), ...headers }, method);
const streamNoOf = async (client: LineClient): Promise<string> => (await client.line((line) => 'streamNo' in line))['streamNo'] as string;
const stateOf = (streamNo: string, { owner } = app) => owner.streams.get(streamNo)!.state;
const appends = (streamNo: string): string[] => app.owner.records.flatMap(({ key, record }) =>
  key === streamNo && record.kind === 'append' ? record.payloads.map((payload) => Buffer.from(payload).toString('utf8')) : []);

test.each(['PUT', 'POST'])('%s /v1/pipe names the streamNo, links and readToken before the body is there, and ends with the verdict', async (method) => {
  const client = pipe('?channel=news', {}, method);
  const first = await client.line((line) => 'streamNo' in line);
  expect(first).toMatchObject({ epoch: 1, readToken: expect.any(String), links: { events: expect.stringContaining('/v1/watch/') } });
  expect(first).not.toHaveProperty('writeToken');
  const streamNo = first['streamNo'] as string;
  client.send('hello ');
  await eventually(() => expect(app.owner.content(streamNo).toString()).toBe('hello '));
  client.send('world');
  client.end();
  await client.ended();
  const digest = createHash('sha256').update('hello world').digest('hex');
  expect(client.lines.at(-1)).toMatchObject({ streamNo, status: 'ended', bytes: 11, digest });
  expect(stateOf(streamNo)).toMatchObject({ open: { channel: 'news', merge: 'text' }, final: { status: 'ended', digest }, numbering: 'numbered' });
});

test('a large binary comes through unchanged, whatever its Content-Type', async () => {
  const bytes = randomBytes(5 * 1024 * 1024);
  const client = pipe('', { 'content-type': 'application/json' });
  const streamNo = await streamNoOf(client);
  client.send(bytes);
  client.end();
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ status: 'ended', bytes: bytes.length, digest: createHash('sha256').update(bytes).digest('hex') });
  expect(app.owner.content(streamNo).equals(bytes)).toBe(true);
  expect(stateOf(streamNo).open).toMatchObject({ contentType: 'application/json', merge: 'bytes' });
});

test('[APPEND-9] text is cut at code points wherever the network cut it', async () => {
  const client = pipe();
  const streamNo = await streamNoOf(client);
  const bytes = Buffer.from('春眠不觉晓，处处闻啼鸟 🐦');
  for (const byte of bytes) client.send(Uint8Array.of(byte));
  client.end();
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ status: 'ended' });
  expect(app.owner.content(streamNo).equals(bytes)).toBe(true);
  for (const text of appends(streamNo)) expect(text).not.toContain('\ufffd');
});

test('[APPEND-9] text that is not UTF-8 ends the pipe with a problem line and aborts its stream', async () => {
  const client = pipe();
  const streamNo = await streamNoOf(client);
  client.send(Uint8Array.of(0x68, 0xff, 0xfe, 0x21));
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ problem: { code: 'UTF8_INVALID' } });
  await eventually(() => expect(stateOf(streamNo).final).toMatchObject({ status: 'failed', reason: 'UTF8_INVALID' }));
});

test('[APPEND-10] intervalMs merges what arrives within a tick; the first fragment goes at once', async () => {
  const intervalMs = 2_000;
  const client = pipe(`?intervalMs=${intervalMs}`);
  const streamNo = await streamNoOf(client);
  const sentAt = performance.now();
  client.send('a');
  await eventually(() => expect(appends(streamNo)).toEqual(['a']));
  expect(performance.now() - sentAt).toBeLessThan(intervalMs);
  for (const part of 'bcdef') client.send(part);
  await eventually(() => expect(appends(streamNo)).toEqual(['a', 'bcdef']));
  client.end();
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ status: 'ended', sequence: 2 });
});

test('a client that vanishes midway aborts its stream with PIPE_ABORTED and leaks nothing', async () => {
  const client = pipe();
  const streamNo = await streamNoOf(client);
  client.send('half');
  await eventually(() => expect(app.owner.content(streamNo).toString()).toBe('half'));
  client.vanish();
  await eventually(() => expect(stateOf(streamNo).final).toMatchObject({ status: 'failed', reason: 'PIPE_ABORTED' }));
  await eventually(async () => expect(await (await fetch(`${app.url}/metrics`)).text()).toMatch(/producer_connections\{[^}]*kind="pipe"[^}]*\} 0/));
});

test('[JUDGE-9] a cancel stops the pipe at once', async () => {
  const client = pipe();
  const streamNo = await streamNoOf(client);
  client.send('x');
  await eventually(() => expect(app.owner.content(streamNo).toString()).toBe('x'));
  await app.post(`/v1/streams/${streamNo}/cancel`, { reason: 'enough' });
  expect(await client.line((line) => line['cancelled'] === true)).toMatchObject({ streamNo, problem: { code: 'STREAM_FINAL' } });
  await client.ended();
});

test('[APPEND-7] a silent pipe is kept by a lease as long as pipeIdleMsMax, with blank lines meanwhile, then aborted', async () => {
  const hurried = await startIngest({ RIVULET_INGEST_KEEP_ALIVE_MS: '50', RIVULET_INGEST_PIPE_IDLE_MS_MAX: '1000' });
  const client = pipe('', {}, 'PUT', hurried);
  const streamNo = await streamNoOf(client);
  expect((await eventually(() => stateOf(streamNo, hurried))).open.leaseMs).toBe(1000);
  await client.ended();
  expect(client.text.match(/\n\n/g)!.length).toBeGreaterThanOrEqual(3);
  expect(client.lines.at(-1)).toMatchObject({ problem: { code: 'BODY_TIMEOUT' } });
  await eventually(() => expect(stateOf(streamNo, hurried).final).toMatchObject({ status: 'failed', reason: 'PIPE_ABORTED' }));
  await hurried.stop();
});

test('an empty input is an empty stream that ended', async () => {
  const client = pipe();
  client.end();
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ status: 'ended', bytes: 0, sequence: 0 });
});

test('a digest that the input does not have fails the stream', async () => {
  const client = pipe(`?digest=${'0'.repeat(64)}`);
  const streamNo = await streamNoOf(client);
  client.send('x');
  client.end();
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ problem: { code: 'CHECKSUM_MISMATCH' } });
  await eventually(() => expect(stateOf(streamNo).final).toMatchObject({ status: 'failed', reason: 'CHECKSUM_MISMATCH' }));
});

test('an unknown option and a role that may not open are answered by their status', async () => {
  const unknown = pipe('?chanel=x');
  unknown.end();
  await unknown.ended();
  expect([unknown.status, unknown.lines[0]!['code']]).toEqual([400, 'OPTIONS_INVALID']);
  const viewer = pipe('', bearer(VIEWER_KEY));
  viewer.end();
  await viewer.ended();
  expect([viewer.status, viewer.lines[0]!['code']]).toEqual([403, 'FORBIDDEN']);
});

test('[APPEND-3] a Kafka that is away for longer than an append may take only makes the pipe wait', async () => {
  const away = await startIngest({ RIVULET_INGEST_APPEND_MS_MAX: '100', RIVULET_INGEST_WINDOW_BYTES_MAX: '65536' });
  const client = new LineClient(`${away.url}/v1/pipe`, { ...bearer(TEST_KEY), 'content-type': 'application/octet-stream' }, 'PUT');
  const streamNo = await streamNoOf(client);
  const bytes = randomBytes(1024 * 1024);
  client.send(bytes.subarray(0, 300_000));
  away.log.faults.isAway = true;
  client.send(bytes.subarray(300_000));
  client.end();
  // Long enough that appends of the pipe were given up by the log several times.
  const beganAt = performance.now();
  await eventually(() => expect(performance.now() - beganAt).toBeGreaterThan(500));
  expect(client.isEnded).toBe(false);
  away.log.faults.isAway = false;
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ status: 'ended', bytes: bytes.length });
  expect(away.owner.content(streamNo).equals(bytes)).toBe(true);
  await away.stop();
});
