import { WebSocket } from 'ws';
import type { ConfirmedReply, LogRecord, StreamSummary } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { appendRecord, CURSORS } from '../../../test/support/memory-source';
import { VirtualTime } from '../../../test/support/virtual-time';
import { get, SseReader, startServer, stopServers } from '../../../test/support/watch-server';
import type { SseEvent, WatchServer } from '../../../test/support/watch-server';

const END: LogRecord = { kind: 'end', epoch: 1, lastSeq: null, checksum: null, digest: '', metadata: {} };
const CONFIRM_MS = 5_000;
afterEach(stopServers);

interface Stream { no: string; token: string }

/** Two instances on one log, under a clock the test moves. */
async function pair(): Promise<{ a: WatchServer; b: WatchServer; time: VirtualTime; stream: Stream }> {
  const time = new VirtualTime();
  const a = await startServer({ time });
  const b = await startServer({ time, beside: a });
  const stream = await a.open();
  await b.source.caughtUp();
  return { a, b, time, stream };
}

const urlOf = (server: WatchServer, { no }: Stream): string => `http://${server.address}/v1/watch/${no}`;
const watch = async (server: WatchServer, stream: Stream, query: string): Promise<SseReader> =>
  new SseReader(await get(`${urlOf(server, stream)}/events?${query}`, stream.token, { accept: 'text/event-stream' }));

type AckAnswer = Partial<ConfirmedReply> & { code?: string };

async function ack(server: WatchServer, stream: Stream, session: string, cursor: string): Promise<AckAnswer> {
  const init = { method: 'POST', headers: { authorization: `Bearer ${stream.token}` }, body: JSON.stringify({ session, cursor }) };
  return await (await fetch(`${urlOf(server, stream)}/ack`, init)).json() as ConfirmedReply;
}

async function confirmedOf(server: WatchServer, stream: Stream): Promise<StreamSummary['confirmed']> {
  const answer = await fetch(urlOf(server, stream), { headers: { authorization: `Bearer ${stream.token}` } });
  return (await answer.json() as StreamSummary).confirmed;
}

const spans = (events: SseEvent[]): string[] =>
  events.flatMap(({ event, data }) => (event === 'fragment' ? [`${String(data['from'])}-${String(data['to'])}`] : event === 'probe' ? [`probe ${String(data['confirmed'])}`] : []));

async function write(server: WatchServer, { no }: Stream, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq += 1) await server.put(no, appendRecord(seq, [String(seq % 10)]));
}

test('[WATCH-6] a window counts from what is confirmed, which may be said to another instance; SSE needs nothing else', async () => {
  const { a, b, stream } = await pair();
  const reader = await watch(a, stream, 'session=s&window=3');
  await write(a, stream, 1, 8);
  await reader.until(({ events }) => events.some(({ id }) => id === '1.3'));
  expect(await ack(b, stream, 's', '1.2')).toEqual({ streamNo: stream.no, session: 's', cursor: '1.2' });
  await reader.until(({ events }) => events.some(({ id }) => id === '1.5'));
  expect(reader.events.some(({ id }) => id === '1.6')).toBe(false);
  // Cumulative: an older one takes nothing back, and is told what stands.
  expect(await ack(a, stream, 's', '1.1')).toMatchObject({ cursor: '1.2' });
  await ack(b, stream, 's', '1.5');
  await reader.until(({ events }) => events.some(({ id }) => id === '1.8'));
  expect(reader.named('fragment').map(({ data }) => data['text']).join('')).toBe('12345678');
});

test('[WATCH-6] a named session without a cursor goes on after what it confirmed, at any instance; with one, there', async () => {
  const { a, b, stream } = await pair();
  await write(a, stream, 1, 6);
  await b.source.caughtUp();
  await ack(a, stream, 's', '1.4');
  const own = await watch(b, stream, 'session=s');
  await own.until(({ events }) => events.some(({ id }) => id === '1.6'));
  expect(own.events[0]).toMatchObject({ event: 'stream', data: { confirmed: '1.4' } });
  expect(spans(own.events)).toEqual(['5-6']);
  const from = await watch(b, stream, 'session=s&from=1.5');
  await from.until(({ events }) => events.some(({ id }) => id === '1.6'));
  expect(spans(from.events)).toEqual(['6-6']);
  const other = await watch(b, stream, 'session=other');
  await other.until(({ events }) => events.some(({ id }) => id === '1.6'));
  expect(other.events[0]).toMatchObject({ data: { confirmed: null } });
  expect(spans(other.events)).toEqual(['1-6']);
});

test('[WATCH-6] the newest connection of a name wins, across instances; other names and other streams are not concerned', async () => {
  const { a, b, stream } = await pair();
  const second = await a.open();
  await b.source.caughtUp();
  const [older, bystander, elsewhere] = await Promise.all([watch(a, stream, 'session=s'), watch(a, stream, 'session=t'), watch(a, second, 'session=s')]);
  for (const reader of [older, bystander, elsewhere]) await reader.until(({ events }) => events.length > 0);
  const newer = await watch(b, stream, 'session=s');
  await older.ended();
  expect(older.events.at(-1)).toMatchObject({ event: 'problem', data: { code: 'SESSION_TAKEN', next: 'stop' } });
  await a.write(stream.no, appendRecord(1, ['x']));
  await a.write(second.no, appendRecord(1, ['x']));
  for (const reader of [newer, bystander, elsewhere]) await reader.until((one) => one.named('fragment').length === 1);
  expect(await a.metric('sessions_taken_total')).toBe(1);
});

test('[WATCH-6] a connection its reader has given up, and whose attach lands after the next one, takes nothing from it', async () => {
  const { a, b, stream } = await pair();
  const second = await watch(a, stream, 'session=s&connection=reader-a.2');
  await second.until(({ events }) => events.length > 0);
  const late = await get(`${urlOf(b, stream)}/events?session=s&connection=reader-a.1`, stream.token);
  expect(late.statusCode).toBe(409);
  await a.put(stream.no, appendRecord(1, ['x']));
  await second.until((one) => one.named('fragment').length === 1);
  const third = await watch(b, stream, 'session=s&connection=reader-a.3');
  await third.until((one) => one.named('fragment').length === 1);
  expect((await second.ended()).events.at(-1)).toMatchObject({ data: { code: 'SESSION_TAKEN' } });
});

test('[WATCH-6] who does not confirm is probed, then given the unconfirmed part again, up to what it had; waits double, and progress ends that', async () => {
  const { a, time, stream } = await pair();
  await write(a, stream, 1, 2);
  const reader = await watch(a, stream, 'session=s&window=4');
  await reader.until(({ events }) => events.some(({ id }) => id === '1.2'));
  await write(a, stream, 3, 8);
  await reader.until(({ events }) => events.some(({ id }) => id === '1.4'));
  await ack(a, stream, 's', '1.1');
  await reader.until(({ events }) => events.some(({ id }) => id === '1.5'));
  expect(spans(reader.events)).toEqual(['1-2', '3-3', '4-4', '5-5']);
  const seen = (): string[] => spans(reader.events).slice(4);
  const passed = async (ms: number, ...expected: string[]): Promise<void> => {
    time.advance(ms - 1);
    const before = reader.events.length;
    time.advance(1);
    await reader.until(() => seen().length >= expected.length);
    expect([before, seen()]).toEqual([expect.any(Number), expected]);
  };
  await passed(CONFIRM_MS, 'probe 1.1');
  await passed(CONFIRM_MS, 'probe 1.1', '2-5');
  await passed(2 * CONFIRM_MS, 'probe 1.1', '2-5', 'probe 1.1');
  await passed(2 * CONFIRM_MS, 'probe 1.1', '2-5', 'probe 1.1', '2-5');
  await ack(a, stream, 's', '1.5');
  await reader.until(({ events }) => events.some(({ id }) => id === '1.8'));
  const again = spans(reader.events).length;
  await ack(a, stream, 's', '1.8');
  await eventually(async () => expect(await confirmedOf(a, stream)).toEqual([expect.objectContaining({ cursor: '1.8' })]));
  time.advance(100 * CONFIRM_MS);
  await write(a, stream, 9, 9);
  await reader.until(({ events }) => events.some(({ id }) => id === '1.9'));
  expect(spans(reader.events).slice(again)).toEqual(['9-9']);
  expect([await a.metric('session_probes_total'), await a.metric('session_resends_total')]).toEqual([2, 2]);
});

test('[WATCH-6] what comes again ends where it ended before, whatever has come since: nothing straddles what the reader has', async () => {
  const { a, time, stream } = await pair();
  await write(a, stream, 1, 2);
  const reader = await watch(a, stream, 'session=s&intervalMs=300');
  await reader.until(({ events }) => events.some(({ id }) => id === '1.2'));
  await write(a, stream, 3, 4); // waits for the pace
  for (let turn = 0; turn < 2; turn += 1) time.advance(CONFIRM_MS);
  await reader.until(({ events }) => events.some(({ id }) => id === '1.4'));
  expect(spans(reader.events)).toEqual(['1-2', 'probe null', '1-2', '3-4']);
});

test('[WATCH-6] a reader that comes with a cursor beyond its window is probed and given the rest again, as it may be nobody else\'s', async () => {
  const { a, time, stream } = await pair();
  await write(a, stream, 1, 6);
  const reader = await watch(a, stream, 'session=s&window=2&from=1.4');
  await reader.until(({ events }) => events.length > 0);
  for (let turn = 0; turn < 2; turn += 1) time.advance(CONFIRM_MS);
  await reader.until(({ events }) => events.some(({ id }) => id === '1.2'));
  expect(spans(reader.events)).toEqual(['probe null', '1-2']);
  await ack(a, stream, 's', '1.4');
  await reader.until(({ events }) => events.some(({ id }) => id === '1.6'));
  expect(spans(reader.events)).toEqual(['probe null', '1-2', '3-4', '5-6']);
});

test('[WATCH-6] a session that reads nothing is not sent more: nothing is given again before it takes what it has', async () => {
  const time = new VirtualTime();
  const a = await startServer({ time, viewBytesMax: 1 << 20 });
  const stream = await a.open();
  const stalled = await get(`${urlOf(a, stream)}/events?session=s`, stream.token, { accept: 'text/event-stream' });
  const fragment = 'x'.repeat(60_000);
  for (let seq = 1; seq <= 300; seq += 1) await a.put(stream.no, appendRecord(seq, [fragment]));
  const heldBytes = await a.metric('delivered_bytes_total');
  for (let turn = 0; turn < 50; turn += 1) time.advance(CONFIRM_MS);
  await a.source.caughtUp();
  expect([await a.metric('session_resends_total'), await a.metric('delivered_bytes_total')]).toEqual([0, heldBytes]);
  const reader = new SseReader(stalled);
  await reader.until(({ events }) => events.some(({ id }) => id === '1.300'));
  expect(reader.named('fragment')[0]!.data).toMatchObject({ from: 1 });
});

test('[WATCH-6] a rewind starts the window over, and what was confirmed of the old content says nothing of the new', async () => {
  const { a, stream } = await pair();
  await write(a, stream, 1, 4);
  await ack(a, stream, 's', '1.3');
  const reader = await watch(a, stream, 'session=s&window=2');
  await reader.until(({ events }) => events.some(({ id }) => id === '1.4'));
  await a.put(stream.no, { kind: 'retry', epoch: 2, attemptId: 'x', keep: 'none', reason: '' });
  for (let seq = 1; seq <= 4; seq += 1) await a.put(stream.no, appendRecord(seq, ['n'], { epoch: 2 }));
  await reader.until(({ events }) => events.some(({ id }) => id === '2.2'));
  expect(reader.events.some(({ id }) => id === '2.3')).toBe(false);
  await ack(a, stream, 's', '2.2');
  await reader.until(({ events }) => events.some(({ id }) => id === '2.4'));
  const late = await watch(a, stream, 'session=s');
  await late.until(({ events }) => events.some(({ id }) => id === '2.4'));
  expect(spans(late.events)).toEqual(['3-4']);
});

test('[WATCH-7] the list says who confirmed what and when; a session that has the end is told nothing more', async () => {
  const { a, b, stream } = await pair();
  await write(a, stream, 1, 2);
  await a.put(stream.no, END);
  await b.source.caughtUp();
  expect(await confirmedOf(a, stream)).toEqual([]);
  const before = Date.now();
  await ack(a, stream, 'all', '1.2.f');
  await ack(b, stream, 'half', '1.1');
  for (const server of [a, b]) {
    const list = await confirmedOf(server, stream);
    expect(list).toEqual([
      { session: 'all', cursor: '1.2.f', confirmedAt: expect.any(Number), isFinal: true },
      { session: 'half', cursor: '1.1', confirmedAt: expect.any(Number), isFinal: false },
    ]);
    expect(list![0]!.confirmedAt).toBeGreaterThanOrEqual(before);
  }
  expect((await get(`${urlOf(b, stream)}/events?session=all`, stream.token)).statusCode).toBe(204);
});

test('[WATCH-6] acks that come while one is being written are one record, the furthest', async () => {
  const { a, stream } = await pair();
  await write(a, stream, 1, 100);
  const entry = await a.source.open(stream.no);
  const confirm = (sequence: number): Promise<ConfirmedReply> =>
    a.delivery.options.sessions.confirm(entry, 's', { epoch: 1, sequence, isFinal: false });
  await confirm(1);
  const replies = await Promise.all(Array.from({ length: 99 }, (_, index) => confirm(index + 2)));
  for (const [index, { cursor }] of replies.entries()) expect(Number(cursor.split('.')[1])).toBeGreaterThanOrEqual(index + 2);
  expect(await confirmedOf(a, stream)).toEqual([expect.objectContaining({ cursor: '1.100' })]);
  expect((await a.log.bounds(CURSORS, 0)).end).toBe(3);
  expect(await a.metric('confirmations_total')).toBe(3);
});

test('[WATCH-6] [LINK-2] what cannot be confirmed is refused: cursors of nobody, names of nobody, names beyond the limit', async () => {
  const { a, b, stream } = await pair();
  const release = b.source.hold();
  await write(a, stream, 1, 2);
  // Behind, so it waits until it knows.
  const late = ack(b, stream, 's', '1.2');
  expect(await ack(a, stream, 's', '1.3')).toMatchObject({ code: 'CURSOR_UNKNOWN' });
  expect(await ack(a, stream, 's', '1.x')).toMatchObject({ code: 'CURSOR_INVALID' });
  expect(await ack(a, stream, 's', '1.2.f')).toMatchObject({ code: 'CURSOR_UNKNOWN' });
  for (const name of ['', 'a/b', 'n'.repeat(129)]) expect(await ack(a, stream, name, '1.1')).toMatchObject({ code: 'BODY_INVALID' });
  for (const query of ['session=a/b', 'window=3', 'session=s&window=0', 'session=s&window=1000001', 'session=s&connection=x.1']) {
    expect([query, (await get(`${urlOf(a, stream)}/events?${query}`, stream.token)).statusCode]).toEqual([query, 400]);
  }
  release();
  expect(await late).toMatchObject({ cursor: '1.2' });
  for (let index = 1; index < 10; index += 1) await ack(a, stream, `n${index}`, '1.1');
  expect(await ack(a, stream, 'one-too-many', '1.1')).toMatchObject({ code: 'OVERLOADED', detail: expect.stringContaining('at most 10 named sessions') });
  const fresh = await startServer({ beside: a });
  for (const server of [b, fresh]) expect((await get(`${urlOf(server, stream)}/events?session=other`, stream.token)).statusCode).toBe(429);
  expect(await ack(a, stream, 'n1', '1.2')).toMatchObject({ cursor: '1.2' });
});

class Peer {
  readonly frames: (Record<string, unknown> & { type: string })[] = [];
  private wake: () => void = () => undefined;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (text) => {
      this.frames.push(JSON.parse(String(text)) as Record<string, unknown> & { type: string });
      this.wake();
    });
  }

  static async connect(server: WatchServer, token: string): Promise<Peer> {
    const peer = new Peer(new WebSocket(`ws://${server.address}/v1/watch/ws`));
    await new Promise((resolve) => peer.socket.once('open', resolve));
    peer.send({ type: 'auth', token });
    return peer;
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  async one(type: string, cursor?: string): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.frames.find((frame) => frame.type === type && (cursor === undefined || frame['cursor'] === cursor));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => { this.wake = resolve; });
    }
  }
}

test('[WATCH-6] over WebSocket an ack of a named session is answered when it is durable, after the final event too', async () => {
  const { a, b, time, stream } = await pair();
  const peer = await Peer.connect(a, stream.token);
  peer.send({ type: 'subscribe', id: 'x', streamNo: stream.no, session: 's', window: 2 });
  expect(await peer.one('stream')).toMatchObject({ id: 'x', confirmed: null });
  await write(a, stream, 1, 3);
  await peer.one('fragment', '1.2');
  time.advance(CONFIRM_MS);
  expect(await peer.one('probe')).toEqual({ type: 'probe', id: 'x', streamNo: stream.no, confirmed: null });
  for (const cursor of ['1.9', 'nonsense']) peer.send({ type: 'ack', id: 'x', cursor });
  await eventually(() => expect(peer.frames.filter(({ type }) => type === 'problem').map(({ problem }) => (problem as { code: string }).code).sort())
    .toEqual(['CURSOR_INVALID', 'CURSOR_UNKNOWN']));
  expect(peer.frames.find(({ problem }) => (problem as { code: string } | undefined)?.code === 'CURSOR_UNKNOWN'))
    .toMatchObject({ id: 'x', problem: { confirming: '1.9' } });
  peer.send({ type: 'ack', id: 'x', cursor: '1.2' });
  expect(await peer.one('confirmed', '1.2')).toEqual({ type: 'confirmed', id: 'x', streamNo: stream.no, session: 's', cursor: '1.2' });
  expect(await confirmedOf(b, stream)).toEqual([expect.objectContaining({ cursor: '1.2' })]);
  await peer.one('fragment', '1.3');
  await a.put(stream.no, END);
  await peer.one('final');
  peer.send({ type: 'ack', id: 'x', cursor: '1.3.f' });
  await peer.one('confirmed', '1.3.f');
  peer.send({ type: 'subscribe', id: 'x', streamNo: stream.no, session: 's' });
  await eventually(() => expect(peer.frames.at(-1)).toMatchObject({ type: 'stream', confirmed: '1.3.f' }));
  peer.send({ type: 'subscribe', id: 'c', channel: 'c', session: 's' });
  await eventually(() => expect(peer.frames.at(-1)).toMatchObject({ type: 'problem', problem: { code: 'FRAME_INVALID' } }));
});

test('[WATCH-6] over WebSocket the older connection of a name gets SESSION_TAKEN on that subscription, and the socket goes on', async () => {
  const { a, b, stream } = await pair();
  const [older, newer] = [await Peer.connect(a, stream.token), await Peer.connect(b, stream.token)];
  older.send({ type: 'subscribe', id: 'x', streamNo: stream.no, session: 's' });
  older.send({ type: 'subscribe', id: 'y', streamNo: stream.no });
  await eventually(() => expect(older.frames.filter(({ type }) => type === 'stream')).toHaveLength(2));
  newer.send({ type: 'subscribe', id: 'x', streamNo: stream.no, session: 's' });
  await newer.one('stream');
  expect(await older.one('problem')).toMatchObject({ id: 'x', problem: { code: 'SESSION_TAKEN', next: 'stop' } });
  await a.write(stream.no, appendRecord(1, ['x']));
  expect(await older.one('fragment')).toMatchObject({ id: 'y' });
  expect(await newer.one('fragment')).toMatchObject({ id: 'x' });
});
