import fc from 'fast-check';
import { WebSocket } from 'ws';
import type { LogRecord } from '@rivulet/protocol';
import { appendRecord, openRecord } from '../../../test/support/memory-source';
import { get, SseReader, startServer, stopServers } from '../../../test/support/watch-server';
import type { WatchServer } from '../../../test/support/watch-server';

afterEach(stopServers);

const CHANNEL = 'team';
type Event = Record<string, unknown> & { type: string; streamNo?: string };

/** Until an event that must come is missed, ms. */
const MISSED_MS = 5_000;

/** One connection of a reader of the channel, event by event, each with the cursor of the channel after it. */
interface Connection {
  next(): Promise<{ event: Event; cursor: string }>;
  drop(): void;
}

async function overSse(server: WatchServer, token: string, cursor: string | null, query = ''): Promise<Connection> {
  const headers = { accept: 'text/event-stream', ...(cursor !== null && { 'last-event-id': cursor }) };
  const reader = new SseReader(await get(`http://${server.address}/v1/watch/channels/${CHANNEL}/events${query}`, token, headers));
  let at = 0;
  return {
    next: async () => {
      await reader.until(() => reader.events.length > at);
      const { event: type, id, data } = reader.events[at++]!;
      return { event: { ...data, type }, cursor: id! };
    },
    drop: () => reader.response.destroy(),
  };
}

async function overSocket(server: WatchServer, token: string, cursor: string | null, query: object = {}): Promise<Connection> {
  const socket = new WebSocket(`ws://${server.address}/v1/watch/ws`);
  const events: (Event & { channelCursor: string })[] = [];
  let wake = (): void => undefined;
  socket.on('message', (text) => {
    events.push(JSON.parse(String(text)) as Event & { channelCursor: string });
    wake();
  });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'auth', token }));
  socket.send(JSON.stringify({ type: 'subscribe', id: 'c', channel: CHANNEL, ...(cursor !== null && { from: cursor }), ...query }));
  const next = async () => {
    while (events.length === 0) await new Promise<void>((resolve) => { wake = resolve; });
    return events.shift()!;
  };
  expect((await next()).type).toBe('ready');
  return {
    next: async () => {
      const { channelCursor, ...event } = await next();
      return { event, cursor: channelCursor };
    },
    drop: () => socket.terminate(),
  };
}

async function within<T>(coming: Promise<T>): Promise<T> {
  let timer!: NodeJS.Timeout;
  const missed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('an event is missing')), MISSED_MS);
  });
  return Promise.race([coming, missed]).finally(() => clearTimeout(timer));
}

/** What a reader that only obeys the events holds of each stream [WATCH-1]. */
class Held {
  private readonly streams = new Map<string, { last: number; text: string; isFinal: boolean }>();

  take(event: Event): void {
    const { type, streamNo } = event;
    if (!['stream', 'fragment', 'rewind', 'final', 'lost', 'resumed'].includes(type)) throw new Error(`unexpected ${JSON.stringify(event)}`);
    const known = this.streams.get(streamNo!);
    if (type !== 'stream' && known === undefined) throw new Error(`${type} of a stream that was not told of`);
    const held = known ?? { last: 0, text: '', isFinal: false };
    this.streams.set(streamNo!, held);
    if (held.isFinal) throw new Error(`${type} after final`);
    if (type === 'rewind') [held.last, held.text] = [0, ''];
    if (type === 'final') held.isFinal = true;
    if (type !== 'fragment') return;
    if (event['from'] !== held.last + 1) throw new Error(`fragment ${event['from'] as number} after ${held.last}`);
    held.last = event['to'] as number;
    held.text += event['text'] as string;
  }

  get finals(): number {
    return [...this.streams.values()].filter(({ isFinal }) => isFinal).length;
  }

  get texts(): [string, string][] {
    return [...this.streams].map(([no, { text }]) => [no, text] as [string, string]).sort();
  }
}

/** A stream as it is written, and what it holds in the end. */
class Written {
  text = '';
  isEnded = false;
  private epoch = 1;
  private sequence = 0;

  constructor(readonly no: string) {}

  /** The records of one step; the content is what the producer meant, computed without any judge. */
  step(kind: number, size: number): LogRecord[] {
    if (kind < 7) {
      const payloads = Array.from({ length: size }, (_, index) => `${this.epoch}.${this.sequence + index + 1} `);
      const append = appendRecord(this.sequence + 1, payloads, { epoch: this.epoch });
      this.text += payloads.join('');
      this.sequence += size;
      // A resend of what is acknowledged, and an overtaking one, are both none of the reader's business.
      if (kind === 5) return [append, append];
      return kind === 6 && size > 1 ? [appendRecord(this.sequence, [payloads.at(-1)!], { epoch: this.epoch }), append] : [append];
    }
    if (kind === 7) return [this.retry('all')];
    if (kind === 8) return [this.retry('none')];
    this.isEnded = true;
    return [{ kind: 'end', epoch: this.epoch, lastSeq: this.sequence, checksum: null, digest: '', metadata: {} }];
  }

  private retry(keep: 'all' | 'none'): LogRecord {
    this.epoch += 1;
    if (keep === 'none') [this.sequence, this.text] = [0, ''];
    return { kind: 'retry', epoch: this.epoch, attemptId: `a${this.epoch}`, keep, reason: '' };
  }
}

async function twoInstances(): Promise<[WatchServer, WatchServer]> {
  const first = await startServer({ partitions: 2, viewBytesMax: 1 << 20, frameBytesMax: 16 });
  // Hardly any memory: nearly all it tells comes from the log.
  return [first, await startServer({ beside: first, partitions: 2, viewBytesMax: 1, frameBytesMax: 40 })];
}

const step = fc.record({
  stream: fc.nat(5), kind: fc.nat(9), size: fc.integer({ min: 1, max: 4 }),
  /** How many events are read before the connection drops; 0: it goes on. */
  read: fc.nat(3), isSocket: fc.boolean(), instance: fc.nat(1), isReplaced: fc.nat(7), intervalMs: fc.constantFrom(0, 3),
});

test('[WATCH-12] whatever happens, and wherever it comes back, a reader of a channel sees every fragment of every stream once, in order, and every final', async () => {
  const servers = await twoInstances();
  const token = await servers[0].auth.mintChannel(CHANNEL, Date.now() + 600_000);
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
    const [server] = servers;
    const streams: Written[] = [];
    const current: Written[] = [];
    const held = new Held();
    let cursor = await cursorNow(server, token);
    const read = async (events: number, isSocket: boolean, instance: number, intervalMs: number): Promise<void> => {
      const connection = isSocket
        ? await overSocket(servers[instance]!, token, cursor, { intervalMs })
        : await overSse(servers[instance]!, token, cursor, `?intervalMs=${intervalMs}`);
      for (let n = 0; n < events; n += 1) {
        const one = await within(connection.next());
        held.take(one.event);
        cursor = one.cursor;
        // Only as many as there are for sure: the rest is for the next connection.
        if (held.finals === streams.filter(({ isEnded }) => isEnded).length) break;
      }
      connection.drop();
    };
    for (const { stream, kind, size, read: events, isSocket, instance, isReplaced, intervalMs } of steps) {
      let written = current[stream];
      if (written === undefined || written.isEnded) {
        // Numbers do not come in the order of the log: the clocks of allocators differ.
        written = current[stream] = new Written(server.streamNos.issue({ time: Date.now() - 1_000 * stream, partition: stream % 2 }));
        streams.push(written);
        await server.write(written.no, openRecord({ channel: CHANNEL }));
      }
      await server.write(written.no, ...written.step(kind, size));
      const other = servers[instance]!;
      if (isReplaced === 0) await other.source.replace();
      const isBehind = held.finals < streams.filter(({ isEnded }) => isEnded).length;
      if (events > 0 && isBehind) await read(events, isSocket, instance, intervalMs);
    }
    for (const written of streams) if (!written.isEnded) await server.write(written.no, ...written.step(9, 0));
    for (let n = 0; held.finals < streams.length; n += 1) await read(2, n % 3 === 0, n % 2, 0);
    expect(held.texts).toEqual(streams.map(({ no, text }) => [no, text]).sort());
  }), { numRuns: 10, endOnFailure: true });
});

async function cursorNow(server: WatchServer, token: string): Promise<string> {
  const connection = await overSse(server, token, null, '?from=now');
  const { event, cursor } = await connection.next();
  expect(event).toMatchObject({ type: 'reset', reason: 'now' });
  connection.drop();
  return cursor;
}

const END: LogRecord = { kind: 'end', epoch: 1, lastSeq: null, checksum: null, digest: '', metadata: {} };

async function readUntil(connection: Connection, isLast: (event: Event) => boolean): Promise<{ events: Event[]; cursor: string }> {
  const events: Event[] = [];
  for (;;) {
    const { event, cursor } = await within(connection.next());
    events.push(event);
    if (isLast(event)) return { events, cursor };
  }
}
const shown = (events: Event[]): unknown[] =>
  events.map(({ type, streamNo, text }) => [type, streamNo, ...(text === undefined ? [] : [text])]);

test('[WATCH-12] a stream that a reader has no credit for stays behind, the others go on, and a resume knows both', async () => {
  const server = await startServer();
  const token = await server.auth.mintChannel(CHANNEL, Date.now() + 60_000);
  const [behind, ended] = [await server.open({ channel: CHANNEL }), await server.open({ channel: CHANNEL })];
  await server.put(behind.no, appendRecord(1, ['a', 'b', 'c', 'd']));
  await server.put(ended.no, appendRecord(1, ['x']), END);
  const socket = await overSocket(server, token, null, { window: 2 });
  const { events, cursor } = await readUntil(socket, ({ type }) => type === 'final');
  expect(events.filter(({ type }) => type === 'fragment').map(({ text }) => text).sort()).toEqual(['ab', 'x']);
  socket.drop();
  await server.put(behind.no, appendRecord(5, ['e']), END);
  const resumed = await readUntil(await overSse(server, token, cursor), ({ type }) => type === 'final');
  expect(shown(resumed.events)).toEqual([['stream', behind.no], ['fragment', behind.no, 'cde'], ['final', behind.no]]);
});

test('[WATCH-12] `from=now` tells only what comes, and where each open stream goes on; `ended` bounds the past that is told', async () => {
  const server = await startServer();
  const token = await server.auth.mintChannel(CHANNEL, Date.now() + 60_000);
  const past = [];
  for (let n = 0; n < 4; n += 1) {
    const stream = await server.open({ channel: CHANNEL });
    await server.put(stream.no, appendRecord(1, [`past ${n}`]), END);
    past.push(stream.no);
  }
  const open = await server.open({ channel: CHANNEL });
  await server.put(open.no, appendRecord(1, ['a', 'b']));
  const now = await overSse(server, token, null, '?from=now');
  const begun = await readUntil(now, ({ type }) => type === 'stream');
  expect(begun.events[0]).toEqual({ type: 'reset', reason: 'now', streams: [{ streamNo: open.no, cursor: '1.2' }] });
  await server.put(open.no, appendRecord(3, ['c']));
  const { events, cursor } = await readUntil(now, ({ type }) => type === 'fragment');
  expect(shown(events)).toEqual([['fragment', open.no, 'c']]);
  now.drop();
  const later = await server.open({ channel: CHANNEL });
  await server.put(later.no, appendRecord(1, ['new']), END);
  const resumed = await readUntil(await overSse(server, token, cursor, '?from=now'), ({ type }) => type === 'final');
  expect(shown(resumed.events)).toEqual([['stream', open.no], ['stream', later.no], ['fragment', later.no, 'new'], ['final', later.no]]);
  await server.put(open.no, END);
  for (const connection of [await overSse(server, token, null, '?ended=3'), await overSocket(server, token, null, { ended: 3 })]) {
    let finals = 0;
    const some = await readUntil(connection, ({ type }) => type === 'final' && (finals += 1) === 3);
    const told = some.events.filter(({ type }) => type === 'final').map(({ streamNo }) => streamNo).sort();
    // By their numbers, which need not be the order of the log.
    expect(told).toEqual([...past, open.no, later.no].sort().slice(-3));
  }
});

test('[WATCH-12] a place that is not there any more is told as a reset, and the feed goes on; what is no cursor is refused', async () => {
  const server = await startServer();
  const token = await server.auth.mintChannel(CHANNEL, Date.now() + 60_000);
  const stream = await server.open({ channel: CHANNEL });
  await server.put(stream.no, appendRecord(1, ['a']));
  const { cursor } = await readUntil(await overSse(server, token, null), ({ type }) => type === 'fragment');
  const otherLog = await startServer();
  const fresh = await otherLog.open({ channel: CHANNEL });
  const elsewhere = await overSse(otherLog, token, cursor);
  expect((await readUntil(elsewhere, ({ type }) => type === 'stream')).events).toMatchObject([
    { type: 'reset', reason: 'gone', streams: [{ streamNo: fresh.no, cursor: '1.0' }] }, { type: 'stream', streamNo: fresh.no },
  ]);
  // Removed since: its reader never gets a final, and must know.
  Object.assign(server.source.entries.get(stream.no)!.state, { isDeleted: true });
  const removed = await readUntil(await overSocket(server, token, cursor), () => true);
  expect(removed.events).toEqual([{ type: 'reset', reason: 'gone', streams: [], id: 'c' }]);
  for (const from of ['1.1', `${cursor}_`, `${cursor}!`, 'x'.repeat(5_000)]) {
    const url = `http://${server.address}/v1/watch/channels/${CHANNEL}/events?from=${from}`;
    const refused = await get(url, token, { accept: 'text/event-stream' });
    expect(refused.statusCode).toBe(400);
  }
});

test('[WATCH-12] with more open streams than a cursor can name, a resume is a reset that says where each goes on', async () => {
  const server = await startServer({ sessionStreamsMax: 1_000 });
  const token = await server.auth.mintChannel(CHANNEL, Date.now() + 60_000);
  const count = 600;
  const numbers = Array.from({ length: count }, () => server.streamNos.issue({ time: Date.now(), partition: 0 }));
  for (const no of numbers) void server.write(no, openRecord({ channel: CHANNEL }), appendRecord(1, ['a', 'b']));
  await server.source.caughtUp();
  let fragments = 0;
  const first = await readUntil(await overSse(server, token, null), ({ type }) => type === 'fragment' && (fragments += 1) === count);
  expect(first.cursor.length).toBeLessThan(16);
  const { events, cursor } = await readUntil(await overSse(server, token, first.cursor), () => true);
  expect(events[0]).toMatchObject({ type: 'reset', reason: 'wide' });
  const told = events[0]!['streams'] as { streamNo: string; cursor: string }[];
  expect(told.map(({ streamNo }) => streamNo).sort()).toEqual([...numbers].sort());
  expect(told.every((one) => one.cursor === '1.2')).toBe(true);
  expect(cursor.length).toBeLessThan(4_100);
});
