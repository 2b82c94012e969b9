import { gzipSync } from 'node:zlib';
import { eventually } from '../../../test/support/eventually';
import { bearer, startIngest } from '../../../test/support/ingest-app';
import type { IngestApp } from '../../../test/support/ingest-app';
import { LineClient } from '../../../test/support/line-client';

let app: IngestApp;
beforeAll(async () => {
  app = await startIngest({ RIVULET_INGEST_LEASE_TICK_MS: '20' });
});
afterAll(() => app.stop());

const content = (streamNo: string): string => app.owner.content(streamNo).toString('utf8');
const ndjson = (streamNo: string, token: string, headers: Record<string, string> = {}, { url } = app): LineClient =>
  new LineClient(`${url}/v1/streams/${streamNo}/fragments`, { ...bearer(token), 'content-type': 'application/x-ndjson', ...headers });
const line = (seq: number, data: string): string => `${JSON.stringify({ seq, data })}\n`;

test('[APPEND-2] NDJSON is acknowledged line by line while it is sent', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  for (let seq = 1; seq <= 5; seq += 1) {
    client.send(line(seq, `${seq} `));
    await client.line((ack) => ack['to'] === seq);
  }
  expect(client.isEnded).toBe(false);
  client.end();
  await client.ended();
  await eventually(() => expect(content(streamNo)).toBe('1 2 3 4 5 '));
});

test('many lines in one read are packed into few records and acknowledged as ranges', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  const lines = Array.from({ length: 2000 }, (_, index) => line(index + 1, `${index + 1},`)).join('');
  client.send(lines);
  client.end();
  await client.ended();
  const acks = client.lines as { from: number; to: number }[];
  expect(acks[0]!.from).toBe(1);
  expect(acks.at(-1)!.to).toBe(2000);
  acks.slice(1).forEach((ack, index) => expect(ack.from).toBe(acks[index]!.to + 1));
  const records = app.owner.records.filter(({ key, record }) => key === streamNo && record.kind === 'append');
  expect(records.length).toBeLessThan(100);
  await eventually(() => expect(content(streamNo)).toBe(Array.from({ length: 2000 }, (_, index) => `${index + 1},`).join('')));
});

test('a line cut anywhere by the network, also inside a code point, is one line', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  for (const byte of Buffer.from(line(1, '天地玄黄'))) client.send(Uint8Array.of(byte));
  client.send('{"seq":2,"data":"!"}');
  client.end();
  await client.ended();
  await eventually(() => expect(content(streamNo)).toBe('天地玄黄!'));
});

test('a broken line midway ends the answer with a problem line; everything acknowledged before stays', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  client.send(`${line(1, 'kept ')}${line(2, 'kept')}{"seq":3,"da\n${line(4, 'never')}`);
  await client.ended();
  expect(client.status).toBe(200);
  expect(client.lines).toEqual([{ from: 1, to: 2 }, { problem: expect.objectContaining({ code: 'BODY_INVALID', place: 'line 3' }) }]);
  await eventually(() => expect(content(streamNo)).toBe('kept kept'));
});

test('a first line that cannot be read is answered by its status', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  client.send('nonsense\n');
  await client.ended();
  expect(client.status).toBe(400);
  expect(client.lines[0]).toMatchObject({ code: 'BODY_INVALID', place: 'line 1' });
});

test('[APPEND-9] a line that is not UTF-8 is named; the lines before it stay', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  client.send(Buffer.concat([Buffer.from(`${line(1, 'good')}{"seq":2,"data":"`), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n')]));
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ problem: { code: 'UTF8_INVALID', place: 'line 2' } });
  await eventually(() => expect(content(streamNo)).toBe('good'));
});

test('a line without end is refused before it fills the memory', async () => {
  const { streamNo, writeToken } = await app.open({ limits: { fragmentBytesMax: 1024 } });
  const client = ndjson(streamNo, writeToken);
  client.send('{"data":"');
  client.send('x'.repeat(64 * 1024));
  await client.ended();
  expect(client.status).toBe(413);
  expect(client.lines[0]).toMatchObject({ code: 'FRAGMENT_TOO_LARGE', place: 'line 1' });
});

test('[APPEND-7] blank lines keep the lease by beats; appends need none', async () => {
  const { streamNo, writeToken } = await app.open();
  const beats = (): number => app.owner.records.filter(({ record }) => record.kind === 'beat' && record.streams.some(({ no }) => no === streamNo)).length;
  const client = ndjson(streamNo, writeToken);
  client.send(line(1, 'x'));
  await client.line((ack) => ack['to'] === 1);
  expect(beats()).toBe(0);
  await eventually(() => {
    client.send('\n');
    expect(beats()).toBeGreaterThanOrEqual(3);
  });
  client.end();
  await client.ended();
});

test('a silent NDJSON body is BODY_TIMEOUT', async () => {
  const hurried = await startIngest({ RIVULET_INGEST_NDJSON_IDLE_MS_MAX: '600' });
  const { streamNo, writeToken } = await hurried.open();
  const client = ndjson(streamNo, writeToken, {}, hurried);
  client.send(line(1, 'then nothing'));
  await client.ended();
  expect(client.lines.at(-1)).toMatchObject({ problem: { code: 'BODY_TIMEOUT', next: 'retry' } });
  await hurried.stop();
});

test('[JUDGE-9] a cancel reaches an open NDJSON request at once', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  client.send(line(1, 'x'));
  await client.line((ack) => ack['to'] === 1);
  const cancelled = await app.post(`/v1/streams/${streamNo}/cancel`, { reason: 'stop button' });
  expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled', sequence: 1 } });
  expect(await client.line((one) => one['cancelled'] === true)).toMatchObject({ streamNo, problem: { code: 'STREAM_FINAL', streamStatus: 'cancelled' } });
  await client.ended();
});

test('a newer attempt reaches an open NDJSON request of the older one', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  client.send(line(1, 'x'));
  await client.line((ack) => ack['to'] === 1);
  expect((await app.post(`/v1/streams/${streamNo}/retries`, { attemptId: 'next' })).status).toBe(201);
  expect(await client.line((one) => 'problem' in one)).toMatchObject({ problem: { code: 'STALE_EPOCH', currentEpoch: 2 } });
});

test('gzip NDJSON is taken', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken, { 'content-encoding': 'gzip' });
  client.send(gzipSync(line(1, 'small') + line(2, ' and zipped')));
  client.end();
  await client.ended();
  expect(client.lines).toEqual([{ from: 1, to: 2 }]);
});

test('a client that vanishes midway leaks no connection, and what was acknowledged stays', async () => {
  const { streamNo, writeToken } = await app.open();
  const client = ndjson(streamNo, writeToken);
  client.send(line(1, 'stays'));
  await client.line((ack) => ack['to'] === 1);
  expect(await gauge('ndjson')).toBe(1);
  client.vanish();
  await eventually(async () => expect(await gauge('ndjson')).toBe(0));
  await eventually(() => expect(content(streamNo)).toBe('stays'));
});

test('[APPEND-5] while Kafka is away an NDJSON body is not read on, and nothing unbounded is kept', async () => {
  const away = await startIngest({ RIVULET_INGEST_WINDOW_BYTES_MAX: '65536', RIVULET_INGEST_APPEND_MS_MAX: '1000' });
  const { streamNo, writeToken } = await away.open();
  const headers = { ...bearer(writeToken), 'content-type': 'application/x-ndjson' };
  const client = new LineClient(`${away.url}/v1/streams/${streamNo}/fragments`, headers);
  client.send(line(1, 'x'));
  await client.line((ack) => ack['to'] === 1);
  away.log.faults.isAway = true;
  let sent = 0;
  const piece = Buffer.from(Array.from({ length: 100 }, () => `${JSON.stringify({ data: 'y'.repeat(1000) })}\n`).join(''));
  while (client.write(piece) && sent < 200) sent += 1;
  await eventually(() => expect(client.lines.at(-1)).toMatchObject({ problem: { code: 'LOG_UNAVAILABLE', next: 'retry' } }));
  const queued = /rivulet_append_queue_bytes\{[^}]*\} (\d+)/.exec(await (await fetch(`${away.url}/metrics`)).text())?.[1];
  expect(Number(queued)).toBeLessThan(1024 * 1024);
  await away.stop();
});

async function gauge(kind: string): Promise<number> {
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  return Number(new RegExp(`rivulet_producer_connections\\{[^}]*kind="${kind}"[^}]*\\} (\\d+)`).exec(metrics)?.[1]);
}
