import { EventEmitter } from 'node:events';
import { WebSocket } from 'ws';
import type { LogRecord } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { appendRecord } from '../../../test/support/memory-source';
import { startServer, stopServers } from '../../../test/support/watch-server';
import type { WatchServer } from '../../../test/support/watch-server';
import { WatchSocket } from './watch-socket';

const END: LogRecord = { kind: 'end', epoch: 1, lastSeq: null, checksum: null, digest: '', metadata: {} };
afterEach(stopServers);

type Frame = Record<string, unknown> & { type: string };
class Peer {
  readonly frames: Frame[] = [];
  closed: { code: number; reason: string } | null = null;
  private wake: () => void = () => undefined;

  constructor(readonly socket: WebSocket) {
    socket.on('message', (text) => {
      this.frames.push(JSON.parse(String(text)) as Frame);
      this.wake();
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
      this.wake();
    });
  }

  send(frame: object | string): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  async until<T>(seen: () => T | undefined | null | false): Promise<T> {
    for (;;) {
      const result = seen();
      if (result) return result;
      await new Promise<void>((resolve) => { this.wake = resolve; });
    }
  }

  one(type: string, id?: string): Promise<Frame> {
    return this.until(() => this.frames.find((frame) => frame.type === type && (id === undefined || frame['id'] === id)));
  }

  last(id: string): number {
    return Number(this.frames.filter((frame) => frame.type === 'fragment' && frame['id'] === id).at(-1)?.['to'] ?? 0);
  }
}

async function connect(server: WatchServer, ...tokens: string[]): Promise<Peer> {
  const socket = new WebSocket(`ws://${server.address}/v1/watch/ws`);
  const peer = new Peer(socket);
  await new Promise((resolve) => socket.once('open', resolve));
  for (const token of tokens) peer.send({ type: 'auth', token });
  await peer.until(() => peer.frames.filter(({ type }) => type === 'ready').length === tokens.length);
  return peer;
}
const codeOf = (frame: Frame): unknown => (frame['problem'] as { code: string }).code;

test('[WATCH-8] the first frame is auth, or the socket is closed; each further auth adds what it allows', async () => {
  const server = await startServer();
  const [a, b] = [await server.open(), await server.open()];
  for (const first of [{ type: 'subscribe', id: '1', streamNo: a.no }, { type: 'auth', token: 'nonsense' }]) {
    const stranger = await connect(server);
    stranger.send(first);
    expect(codeOf(await stranger.one('problem'))).toBe('UNAUTHENTICATED');
    expect(await stranger.until(() => stranger.closed)).toMatchObject({ code: 4401 });
  }
  const peer = await connect(server, a.token);
  peer.send({ type: 'subscribe', id: 'b', streamNo: b.no });
  expect(codeOf(await peer.one('problem', 'b'))).toBe('FORBIDDEN');
  peer.send({ type: 'auth', token: b.token });
  peer.send({ type: 'subscribe', id: 'a', streamNo: a.no });
  peer.send({ type: 'subscribe', id: 'b', streamNo: b.no });
  await peer.one('stream', 'a');
  await peer.one('stream', 'b');
});

test('[WATCH-13] a token that expires ends what only it allowed, and a socket that has no other; a new one in time keeps all', async () => {
  const server = await startServer();
  const [a, b] = [await server.open(), await server.open()];
  const short = await server.auth.mintStream(a.no, 'read', Date.now() + 5_000);
  const [alone, mixed, renewed] = [await connect(server, short), await connect(server, short, b.token), await connect(server, short)];
  for (const peer of [alone, mixed, renewed]) peer.send({ type: 'subscribe', id: 'a', streamNo: a.no });
  mixed.send({ type: 'subscribe', id: 'b', streamNo: b.no });
  for (const peer of [alone, mixed, renewed]) await peer.one('stream', 'a');
  await mixed.one('stream', 'b');
  renewed.send({ type: 'auth', token: a.token });
  await renewed.until(() => renewed.frames.filter(({ type }) => type === 'ready').length === 2);
  expect(await alone.until(() => alone.closed)).toEqual({ code: 4401, reason: 'TOKEN_EXPIRED' });
  expect(codeOf(await alone.one('problem'))).toBe('TOKEN_EXPIRED');
  expect(codeOf(await mixed.one('problem', 'a'))).toBe('TOKEN_EXPIRED');
  for (const { no } of [a, b]) await server.put(no, appendRecord(1, ['still']), END);
  await mixed.one('final', 'b');
  await renewed.one('final', 'a');
  expect(mixed.last('a')).toBe(0);
  expect(renewed.frames.filter(({ type }) => type === 'problem')).toEqual([]);
});

test('a subscribe that takes its time holds up nothing but the frames with its id', async () => {
  const server = await startServer();
  const [slow, quick] = [await server.open(), await server.open()];
  const peer = await connect(server, slow.token, quick.token);
  const release = server.source.hold();
  await server.write(slow.no, appendRecord(1, ['a']), END);
  // Ahead of what is folded here: it waits for the fold [LINK-2].
  peer.send({ type: 'subscribe', id: 'slow', streamNo: slow.no, from: '1.1' });
  await eventually(() => expect(server.source.waiting).toHaveLength(1));
  peer.send({ type: 'subscribe', id: 'quick', streamNo: quick.no });
  await peer.one('stream', 'quick');
  expect(peer.frames.filter((frame) => frame['id'] === 'slow')).toEqual([]);
  peer.send({ type: 'subscribe', id: 'slow', streamNo: slow.no });
  release();
  await peer.one('final', 'slow');
  await peer.until(() => peer.frames.some((frame) => frame.type === 'stream' && frame['id'] === 'slow'));
});

test('[WATCH-1] many streams on one socket, each in order, once, to its final', async () => {
  const server = await startServer();
  const streams = await Promise.all(Array.from({ length: 5 }, () => server.open()));
  const peer = await connect(server, ...streams.map(({ token }) => token));
  for (const [index, { no }] of streams.entries()) peer.send({ type: 'subscribe', id: String(index), streamNo: no });
  for (let seq = 1; seq <= 20; seq += 1) {
    for (const { no } of streams) await server.write(no, appendRecord(seq, [`${seq} `]));
  }
  for (const { no } of streams) await server.write(no, END);
  for (const [index, { no }] of streams.entries()) {
    expect(await peer.one('final', String(index))).toMatchObject({ streamNo: no, status: 'ended', sequence: 20, cursor: '1.20.f' });
    const texts = peer.frames.filter((frame) => frame.type === 'fragment' && frame['id'] === String(index)).map((frame) => frame['text']);
    expect(texts.join('')).toBe(Array.from({ length: 20 }, (_, at) => `${at + 1} `).join(''));
  }
  peer.send({ type: 'subscribe', id: 'again', streamNo: streams[0]!.no, from: '1.20.f' });
  peer.send({ type: 'subscribe', id: 'again', streamNo: streams[0]!.no, from: '1.18' });
  expect(await peer.one('final', 'again')).toBeDefined();
  expect(peer.frames.filter((frame) => frame['id'] === 'again').map(({ type }) => type)).toEqual(['stream', 'stream', 'fragment', 'final']);
});

test('[WATCH-4] a window is credit: so many fragments beyond the last ack, whatever is behind', async () => {
  const server = await startServer();
  const { no, token } = await server.open();
  const peer = await connect(server, token);
  peer.send({ type: 'subscribe', id: 's', streamNo: no, window: 10 });
  for (let seq = 1; seq <= 35; seq += 1) await server.write(no, appendRecord(seq, ['x']));
  await server.put(no, END);
  await peer.until(() => peer.last('s') === 10);
  peer.send({ type: 'ack', id: 's', cursor: '1.4' });
  await peer.until(() => peer.last('s') === 14);
  peer.send({ type: 'ack', id: 's', cursor: '1.2' }); // cumulative: an older one takes nothing back
  peer.send({ type: 'ack', id: 's', cursor: '1.30' });
  expect(codeOf(await peer.one('problem'))).toBe('CURSOR_UNKNOWN');
  const entry = await server.source.open(no);
  while (entry.view.evict()) continue; // the rest comes from the log, under the same credit
  peer.send({ type: 'ack', id: 's', cursor: '1.14' });
  await peer.until(() => peer.last('s') === 24);
  peer.send({ type: 'ack', id: 's', cursor: '1.24' });
  await peer.until(() => peer.last('s') === 34);
  expect(peer.frames.some(({ type }) => type === 'final')).toBe(false);
  peer.send({ type: 'ack', id: 's', cursor: '1.34' });
  await peer.one('final');
});

test('[WATCH-2] a rewind starts credit and content anew', async () => {
  const server = await startServer();
  const { no, token } = await server.open();
  await server.put(no, appendRecord(1, ['a', 'b', 'c']));
  const peer = await connect(server, token);
  peer.send({ type: 'subscribe', id: 's', streamNo: no, window: 3 });
  await peer.until(() => peer.last('s') === 3);
  await server.put(no, { kind: 'retry', epoch: 2, attemptId: 'x', keep: 'none', reason: '' }, appendRecord(1, ['d', 'e', 'f', 'g'], { epoch: 2 }));
  expect(await peer.one('rewind')).toMatchObject({ epoch: 2, cursor: '2.0' });
  const texts = () => peer.frames.filter(({ type }) => type === 'fragment').map((frame) => frame['text']);
  await peer.until(() => texts().length === 2);
  expect(texts()).toEqual(['abc', 'def']);
});

test('[WATCH-4] a peer that does not read is written no further, and does not delay others', async () => {
  const server = await startServer({ viewBytesMax: 1 << 20 });
  const { no, token } = await server.open();
  const [stalled, lively] = [await connect(server, token), await connect(server, token)];
  for (const peer of [stalled, lively]) peer.send({ type: 'subscribe', id: 's', streamNo: no });
  await Promise.all([stalled.one('stream'), lively.one('stream')]);
  stalled.socket.pause();
  for (let seq = 1; seq <= 400; seq += 1) {
    await server.put(no, appendRecord(seq, ['x'.repeat(60_000)]));
    if (seq % 25 === 0) await lively.until(() => lively.last('s') === seq);
  }
  expect(await server.metric('delivered_bytes_total')).toBeLessThan(24_000_000 * 1.6);
  stalled.socket.resume();
  await stalled.until(() => stalled.last('s') === 400);
  let last = 0;
  for (const frame of stalled.frames.filter(({ type }) => type === 'fragment')) {
    expect(frame['from']).toBe(last + 1);
    last = Number(frame['to']);
  }
});

test('a channel on a socket: the window counts per stream, an ack names the stream', async () => {
  const server = await startServer();
  const first = await server.open({ channel: 'team' });
  const token = await server.auth.mintChannel('team', Date.now() + 60_000);
  const peer = await connect(server, token);
  peer.send({ type: 'subscribe', id: 'c', channel: 'team', window: 2 });
  await server.put(first.no, appendRecord(1, ['a', 'b', 'c', 'd']));
  const second = await server.open({ channel: 'team' });
  await server.put(second.no, appendRecord(1, ['x']), END);
  expect(await peer.one('final', 'c')).toMatchObject({ streamNo: second.no });
  expect(peer.last('c')).toBeLessThanOrEqual(2);
  peer.send({ type: 'ack', id: 'c', cursor: `${first.no}:1.2` });
  await peer.until(() => peer.frames.some((frame) => frame['streamNo'] === first.no && frame['to'] === 4));
  peer.send({ type: 'subscribe', id: 'd', channel: 'other' });
  expect(codeOf(await peer.one('problem', 'd'))).toBe('FORBIDDEN');
});

test('[OWN-9] a channel on a socket is refused while its partitions cannot be folded, and goes on in the next replica', async () => {
  const server = await startServer();
  const open = () => server.open({ channel: 'team' });
  const streams = [await open(), await open()];
  await server.put(streams[0]!.no, END);
  const peer = await connect(server, await server.auth.mintChannel('team', Date.now() + 60_000));
  server.source.isReady = false;
  peer.send({ type: 'subscribe', id: 'early', channel: 'team' });
  expect(codeOf(await peer.one('problem', 'early'))).toBe('NOT_READY');
  server.source.isReady = true;
  peer.send({ type: 'subscribe', id: 'c', channel: 'team' });
  await peer.until(() => peer.frames.filter(({ type }) => type === 'stream' || type === 'final').length === 3);
  await server.source.replace();
  const third = await open();
  await server.put(streams[1]!.no, appendRecord(1, ['on']));
  await peer.until(() => peer.frames.some((frame) => frame['text'] === 'on') && peer.frames.some((frame) => frame['streamNo'] === third.no));
  // What the new replica tells of again is known: neither the open nor the ended one begins anew.
  const begun = peer.frames.filter(({ type }) => type === 'stream').map((frame) => frame['streamNo']);
  expect(begun).toEqual([streams[0]!.no, streams[1]!.no, third.no]);
  expect(peer.frames.filter(({ type }) => type === 'final')).toHaveLength(1);
  peer.send({ type: 'unsubscribe', id: 'c' });
  await eventually(() => {
    for (const { no } of [streams[1]!, third]) expect(server.source.entries.get(no)).toMatchObject({ pins: 0, sessions: 0 });
  });
});

test('[WATCH-8] cancel needs its own scope, and is answered with the verdict', async () => {
  const verdict = { streamNo: 'x', status: 'cancelled' as const, sequence: 0, bytes: 0, checksum: 0 };
  const calls: object[] = [];
  const server = await startServer({ cancel: (call) => (calls.push(call), Promise.resolve(verdict)) });
  const { no, token } = await server.open();
  const peer = await connect(server, token);
  peer.send({ type: 'cancel', streamNo: no });
  expect(codeOf(await peer.one('problem'))).toBe('FORBIDDEN');
  const { open, openedAt } = (await server.source.open(no)).state;
  peer.send({ type: 'auth', token: await server.auth.mintWrite({ streamNo: no, open, openedAt, epoch: 1 }) });
  peer.send({ type: 'cancel', streamNo: no, reason: 'enough' });
  expect(await peer.one('cancelled')).toMatchObject({ streamNo: no, verdict });
  expect(calls).toEqual([{ streamNo: no, by: 'token', reason: 'enough' }]);
});

test('what cannot be read is answered and costs nothing else; unsubscribe ends a subscription', async () => {
  const server = await startServer();
  const { no, token } = await server.open();
  const peer = await connect(server, token);
  const bad = ['{', '[]', '{"type":"dance"}', '{"type":"subscribe","id":"1"}', `{"type":"subscribe","id":"1","streamNo":"${no}","channel":"c"}`,
    `{"type":"subscribe","id":"1","streamNo":"${no}","window":0}`, '{"type":"auth"}', '{"type":"subscribe","id":"","streamNo":"x"}'];
  for (const frame of bad) peer.send(frame);
  await peer.until(() => peer.frames.filter(({ type }) => type === 'problem').length === bad.length);
  expect(new Set(peer.frames.filter(({ type }) => type === 'problem').map(codeOf))).toEqual(new Set(['FRAME_INVALID']));
  peer.send({ type: 'subscribe', id: 's', streamNo: no });
  peer.send({ type: 'subscribe', id: 's', streamNo: no });
  expect(codeOf(await peer.one('problem', 's'))).toBe('FRAME_INVALID');
  peer.send({ type: 'subscribe', id: 't', streamNo: 'made-up' });
  expect(codeOf(await peer.one('problem', 't'))).toBe('STREAM_NO_NOT_ISSUED');
  peer.send({ type: 'unsubscribe', id: 's' });
  peer.send({ type: 'subscribe', id: 'u', streamNo: no });
  await peer.one('stream', 'u');
  await server.put(no, appendRecord(1, ['a']), END);
  await peer.one('final', 'u');
  expect(peer.frames.filter((frame) => frame['id'] === 's').map(({ type }) => type)).toEqual(['stream', 'problem']);
});

test('an invalid frame before the first credential ends the socket', async () => {
  const server = await startServer();
  const peer = await connect(server);
  for (let n = 0; n < 50; n += 1) peer.send('{');
  expect(await peer.until(() => peer.closed)).toEqual({ code: 4400, reason: 'FRAME_INVALID' });
  expect(peer.frames.map(codeOf)).toEqual(['FRAME_INVALID']);
});

/** A transport whose peer reads only when told to: no kernel buffer blurs the bounds. */
class StalledSocket extends EventEmitter {
  bufferedAmount = 0;
  isPaused = false;
  isCut = false;
  private readonly sent: (() => void)[] = [];
  pause(): void { this.isPaused = true; }
  resume(): void { this.isPaused = false; }
  close(): void { this.emit('close'); }
  terminate(): void {
    this.isCut = true;
    this.emit('close');
  }
  send(text: string, _options: object, onSent: () => void): void {
    this.bufferedAmount += text.length;
    this.sent.push(onSent);
  }
  readAll(): void {
    this.bufferedAmount = 0;
    for (const onSent of this.sent.splice(0)) onSent();
  }
}

test('a peer that makes replies and reads none is not read either, and is cut off if its replies still pile up', async () => {
  const server = await startServer();
  const { token } = await server.open();
  const socket = new StalledSocket();
  new WatchSocket(server.delivery, { cancel: () => Promise.reject(new Error('nobody')) }, socket as unknown as WebSocket);
  const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
  const frame = async (text: string): Promise<void> => {
    socket.emit('message', Buffer.from(text), false);
    await settled();
  };
  await frame(JSON.stringify({ type: 'auth', token }));
  while (socket.bufferedAmount === 0) await settled();
  while (!socket.isPaused && socket.bufferedAmount < 256 * 1024) await frame('{');
  expect(socket.isPaused).toBe(true);
  expect(socket.bufferedAmount).toBeLessThan(128 * 1024);
  socket.readAll();
  expect(socket.isPaused).toBe(false);
  while (!socket.isCut && socket.bufferedAmount < 6 * 1024 * 1024) await frame('{'); // what was received before the pause
  expect(socket.isCut).toBe(true);
  expect(socket.bufferedAmount).toBeLessThan(5 * 1024 * 1024);
  expect(server.delivery.sessionCount).toBe(0);
});

test('[WATCH-8] acks do not wait for a verdict; one that fails names its subscription', async () => {
  let decide: (error: Error) => void = () => undefined;
  const server = await startServer({ cancel: () => new Promise((_, reject) => { decide = reject; }) });
  const { no, token } = await server.open();
  const { open, openedAt } = (await server.source.open(no)).state;
  const peer = await connect(server, token, await server.auth.mintWrite({ streamNo: no, open, openedAt, epoch: 1 }));
  await server.put(no, appendRecord(1, ['a', 'b']));
  peer.send({ type: 'subscribe', id: 's', streamNo: no, window: 1 });
  await peer.until(() => peer.last('s') === 1);
  peer.send({ type: 'cancel', streamNo: no });
  peer.send({ type: 'ack', id: 's', cursor: '1.2' });
  expect(codeOf(await peer.one('problem', 's'))).toBe('CURSOR_UNKNOWN');
  peer.send({ type: 'ack', id: 's', cursor: '1.1' });
  await peer.until(() => peer.last('s') === 2);
  decide(new Error('no verdict'));
  await peer.until(() => peer.frames.some((frame) => frame.type === 'problem' && codeOf(frame) === 'INTERNAL'));
});

test('a drain closes with 1012 and a time to come back', async () => {
  const server = await startServer();
  const { no, token } = await server.open();
  const peer = await connect(server, token);
  peer.send({ type: 'subscribe', id: 's', streamNo: no });
  await peer.one('stream');
  server.delivery.drain();
  expect(await peer.until(() => peer.closed)).toEqual({ code: 1012, reason: expect.stringMatching(/^retryAfterMs=\d+$/) });
  expect(codeOf(await peer.one('problem'))).toBe('NOT_READY');
  expect((await server.source.summary(no)).sessions).toBe(0);
});

test('a peer that is gone without a word is found by its silence', async () => {
  const server = await startServer({ keepAliveMs: 60 });
  const { token } = await server.open();
  const socket = new WebSocket(`ws://${server.address}/v1/watch/ws`, { autoPong: false });
  const peer = new Peer(socket);
  await new Promise((resolve) => socket.once('open', resolve));
  peer.send({ type: 'auth', token });
  expect(await peer.until(() => peer.closed)).toMatchObject({ code: 1006 });
});
