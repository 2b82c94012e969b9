import { WebSocket } from 'ws';
import { eventually } from '../../../test/support/eventually';
import { bearer, startIngest, TEST_KEY } from '../../../test/support/ingest-app';
import type { IngestApp } from '../../../test/support/ingest-app';

let app: IngestApp;
beforeAll(async () => {
  app = await startIngest({ RIVULET_INGEST_PING_MS: '50', RIVULET_INGEST_LEASE_TICK_MS: '20' });
});
afterAll(() => app.stop());

type Frame = Record<string, unknown> & { type: string };

class Client {
  readonly frames: Frame[] = [];
  closed: { code: number } | null = null;
  readonly ws: WebSocket;

  constructor(target: IngestApp, headers: Record<string, string> = bearer(TEST_KEY), options: { autoPong?: boolean } = {}) {
    this.ws = new WebSocket(`${target.url.replace('http', 'ws')}/v1/streams/ws`, { headers, ...options });
    this.ws.on('message', (bytes) => this.frames.push(JSON.parse(String(bytes)) as Frame));
    this.ws.on('close', (code) => (this.closed = { code }));
    this.ws.on('error', () => undefined);
  }

  async ready(): Promise<this> {
    await this.frame((frame) => frame.type === 'ready');
    return this;
  }

  send(frame: object): void {
    this.ws.send(JSON.stringify(frame));
  }

  frame(test: (frame: Frame) => boolean): Promise<Frame> {
    return eventually(() => {
      const found = this.frames.find(test);
      if (!found) throw new Error(`no such frame among ${JSON.stringify(this.frames)}`);
      return found;
    });
  }
}

const acks = (client: Client, streamNo: string): [number, number][] =>
  client.frames.filter((frame) => frame.type === 'ack' && frame['streamNo'] === streamNo).map((frame) => [frame['from'] as number, frame['to'] as number]);
const content = (streamNo: string): string => app.owner.content(streamNo).toString('utf8');

test('many streams on one socket: open, append, acknowledgement, verdict', async () => {
  const client = await new Client(app).ready();
  client.send({ type: 'open', id: 'a' });
  client.send({ type: 'open', id: 'b', options: { contentType: 'application/octet-stream' } });
  const a = (await client.frame((frame) => frame['id'] === 'a'))['streamNo'] as string;
  const b = (await client.frame((frame) => frame['id'] === 'b'))['streamNo'] as string;
  for (let seq = 1; seq <= 100; seq += 1) {
    client.send({ type: 'append', streamNo: a, seq, data: `${seq};` });
    client.send({ type: 'append', streamNo: b, seq, base64: 'AAE=' });
  }
  client.send({ type: 'end', streamNo: a, lastSeq: 100 });
  expect(await client.frame((frame) => frame.type === 'verdict')).toMatchObject({ kind: 'end', streamNo: a, status: 'ended', sequence: 100 });
  await eventually(() => expect(acks(client, b).at(-1)?.[1]).toBe(100));
  // Acknowledgements of one connection are in order and without a hole [APPEND-2].
  for (const no of [a, b]) {
    expect(acks(client, no)[0]![0]).toBe(1);
    acks(client, no).slice(1).forEach(([from], index) => expect(from).toBe(acks(client, no)[index]![1] + 1));
  }
  expect(content(a)).toBe(Array.from({ length: 100 }, (_, index) => `${index + 1};`).join(''));
  expect(app.owner.content(b)).toHaveLength(200);
  client.ws.close();
});

test('auth by frame with a write token is enough for its stream, and for no other', async () => {
  const { streamNo, writeToken } = await app.open();
  const other = await app.open();
  const client = await new Client(app, {}).ready();
  client.send({ type: 'auth', token: writeToken });
  client.send({ type: 'append', streamNo, seq: 1, data: 'mine' });
  client.send({ type: 'append', streamNo: other.streamNo, seq: 1, data: 'not mine' });
  expect(await client.frame((frame) => frame.type === 'ack')).toMatchObject({ streamNo, from: 1, to: 1 });
  expect(await client.frame((frame) => frame.type === 'problem')).toMatchObject({ streamNo: other.streamNo, problem: { code: 'UNAUTHENTICATED' } });
  client.ws.close();
});

test('a socket keeps as many write tokens as two sockets may have streams, and always those of streams it writes to', async () => {
  const small = await startIngest({ RIVULET_INGEST_SOCKET_STREAMS_MAX: '1' });
  const [written, idle, last] = [await small.open(), await small.open(), await small.open()];
  const client = await new Client(small, {}).ready();
  client.send({ type: 'auth', token: written.writeToken });
  client.send({ type: 'append', streamNo: written.streamNo, seq: 1, data: 'x' });
  await client.frame((frame) => frame.type === 'ack');
  for (const { writeToken } of [idle, last]) client.send({ type: 'auth', token: writeToken });
  client.send({ type: 'append', streamNo: idle.streamNo, seq: 1, data: 'x' });
  expect(await client.frame((frame) => frame.type === 'problem')).toMatchObject({ streamNo: idle.streamNo, problem: { code: 'UNAUTHENTICATED' } });
  for (let calls = 1; calls <= 2; calls += 1) {
    client.send({ type: 'end', streamNo: written.streamNo, lastSeq: 1 });
    await eventually(() => expect(client.frames.filter((frame) => frame.type === 'verdict')).toHaveLength(calls));
  }
  client.ws.close();
  await small.stop();
});

test('[NO-2] a made-up streamNo is a problem of its frame, not of the socket', async () => {
  const { streamNo } = await app.open();
  const client = await new Client(app).ready();
  client.send({ type: 'append', streamNo: 'message-1', data: 'x' });
  client.send({ type: 'append', streamNo, seq: 1, data: 'x' });
  expect(await client.frame((frame) => frame.type === 'problem')).toMatchObject({ streamNo: 'message-1', problem: { code: 'STREAM_NO_NOT_ISSUED' } });
  expect(await client.frame((frame) => frame.type === 'ack')).toMatchObject({ streamNo });
  client.ws.close();
});

test('a socket that shows nothing valid is closed with the code of the table', async () => {
  const client = new Client(app, {});
  await client.ready();
  client.send({ type: 'auth', token: 'rk_nobody_nothing' });
  await eventually(() => expect(client.closed).toEqual({ code: 4401 }));
  expect(client.frames.at(-1)).toMatchObject({ type: 'problem', problem: { code: 'UNAUTHENTICATED' } });
});

test('frames that are not documented are FRAME_INVALID', async () => {
  const client = await new Client(app).ready();
  client.ws.send('nonsense');
  client.send({ type: 'apend' });
  client.send({ type: 'append', data: 'x' });
  client.ws.send(Buffer.from([1, 2, 3]));
  await eventually(() => expect(client.frames.filter((frame) => frame.type === 'problem')).toHaveLength(4));
  for (const frame of client.frames.slice(1)) expect(frame).toMatchObject({ problem: { code: 'FRAME_INVALID' } });
  client.ws.close();
});

test('[JUDGE-9] a cancel is pushed to the socket at once', async () => {
  const { streamNo } = await app.open();
  const client = await new Client(app).ready();
  client.send({ type: 'append', streamNo, seq: 1, data: 'x' });
  await client.frame((frame) => frame.type === 'ack');
  await app.post(`/v1/streams/${streamNo}/cancel`, { reason: 'stop' });
  expect(await client.frame((frame) => frame.type === 'cancelled')).toMatchObject({ streamNo, reason: 'stop' });
  client.send({ type: 'append', streamNo, seq: 2, data: 'y' });
  expect(await client.frame((frame) => frame.type === 'problem')).toMatchObject({ streamNo, problem: { code: 'STREAM_FINAL', streamStatus: 'cancelled' } });
  client.ws.close();
});

test('[APPEND-7] answered pings keep the leases of a silent socket; a half-open socket is ended and keeps nothing', async () => {
  const { streamNo } = await app.open();
  const beats = (): number => app.owner.records.filter(({ record }) => record.kind === 'beat' && record.streams.some(({ no }) => no === streamNo)).length;
  const client = await new Client(app).ready();
  client.send({ type: 'append', streamNo, seq: 1, data: 'x' });
  await eventually(() => expect(beats()).toBeGreaterThanOrEqual(3));
  client.ws.close();

  const mute = await new Client(app, bearer(TEST_KEY), { autoPong: false }).ready();
  await eventually(() => expect(mute.closed).not.toBeNull());
});

test('[APPEND-2] after a failed append what follows fails with it, until it is resent from there', async () => {
  const away = await startIngest({ RIVULET_INGEST_APPEND_MS_MAX: '150' });
  const { streamNo } = await away.open();
  const client = await new Client(away).ready();
  const append = (seq: number): void => client.send({ type: 'append', streamNo, seq, data: String(seq) });
  append(1);
  await client.frame((frame) => frame.type === 'ack' && frame['to'] === 1);
  away.log.faults.isAway = true;
  append(2);
  append(3);
  expect(await client.frame((frame) => frame.type === 'problem')).toMatchObject({ streamNo, problem: { code: 'LOG_UNAVAILABLE', next: 'retry' } });
  away.log.faults.isAway = false;
  append(4);
  for (const seq of [2, 3, 4]) append(seq);
  await client.frame((frame) => frame.type === 'ack' && frame['to'] === 4);
  const [first, ...rest] = acks(client, streamNo);
  expect(first).toEqual([1, 1]);
  expect(rest[0]![0]).toBe(2);
  await eventually(() => expect(away.owner.content(streamNo).toString()).toBe('1234'));
  client.ws.close();
  await away.stop();
});

test('[APPEND-5] a full window stops the reading of the socket and says so', async () => {
  const away = await startIngest({ RIVULET_INGEST_WINDOW_BYTES_MAX: '65536' });
  const { streamNo } = await away.open();
  const client = await new Client(away).ready();
  client.send({ type: 'append', streamNo, seq: 1, data: 'x' });
  await client.frame((frame) => frame.type === 'ack');
  away.log.faults.isAway = true;
  for (let seq = 2; seq <= 60; seq += 1) client.send({ type: 'append', streamNo, seq, data: 'y'.repeat(10_000) });
  await client.frame((frame) => frame.type === 'window' && frame['bytes'] === 0);
  away.log.faults.isAway = false;
  await client.frame((frame) => frame.type === 'ack' && frame['to'] === 60);
  expect(client.frames.filter((frame) => frame.type === 'window').at(-1)).toMatchObject({ bytes: 65_536 });
  await eventually(() => expect(away.owner.content(streamNo)).toHaveLength(1 + 59 * 10_000));
  client.ws.close();
  await away.stop();
});

test('a socket that goes away leaves nothing behind', async () => {
  const client = await new Client(app).ready();
  const { streamNo } = await app.open();
  client.send({ type: 'append', streamNo, seq: 1, data: 'x' });
  await client.frame((frame) => frame.type === 'ack');
  client.ws.terminate();
  await eventually(async () => expect(await (await fetch(`${app.url}/metrics`)).text()).toMatch(/producer_connections\{[^}]*kind="ws"[^}]*\} 0/));
});
