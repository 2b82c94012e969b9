import WebSocket from 'ws';
import type { WatchReply, WatchRequest } from '@rivulet/protocol';
import { Raw, Sse } from './raw';
import { findTarget } from './target';
import type { Target } from './target';

let target: Target;
let raw: Raw;
beforeAll(async () => {
  target = await findTarget();
  raw = new Raw(target);
});
afterAll(() => target.stop());

// Frames are checked by the tests, field by field.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Frame = any;

class WatchSocket {
  readonly socket = new WebSocket(`${target.url.replace(/^http/, 'ws')}/v1/watch/ws`);
  private readonly frames: WatchReply[] = [];
  private wake: () => void = () => undefined;

  static async connect(token = target.apiKey): Promise<WatchSocket> {
    const watch = new WatchSocket();
    watch.socket.on('message', (text) => {
      watch.frames.push(JSON.parse(String(text)) as WatchReply);
      watch.wake();
    });
    await new Promise((resolve, reject) => watch.socket.once('open', resolve).once('error', reject));
    watch.send({ type: 'auth', token });
    return watch;
  }

  send(frame: WatchRequest): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** @returns the next frame, or null when none comes within the time */
  async next(msMax = 15_000): Promise<Frame> {
    const deadline = Date.now() + msMax;
    while (this.frames.length === 0) {
      const restMs = deadline - Date.now();
      if (restMs <= 0) return null;
      const timer = setTimeout(() => this.wake(), restMs);
      await new Promise<void>((resolve) => (this.wake = resolve));
      clearTimeout(timer);
    }
    return this.frames.shift();
  }

  async until(matches: (frame: Frame) => boolean): Promise<Frame[]> {
    const seen: Frame[] = [];
    for (;;) {
      const frame = await this.next();
      if (frame === null) throw new Error(`nothing more came after ${JSON.stringify(seen.at(-1))}`);
      seen.push(frame);
      if (matches(frame)) return seen;
    }
  }
}

const isType = (type: string, id?: string) => (frame: Frame): boolean => frame.type === type && (id === undefined || frame.id === id);
const textOf = (frames: Frame[], id: string): string => frames.filter(isType('fragment', id)).map(({ text }) => text).join('');

test('many streams on one socket, each event with the id of its subscription', async () => {
  const [first, second] = [await raw.write(['a', 'b']), await raw.write(['c', 'd'])];
  const watch = await WatchSocket.connect();
  watch.send({ type: 'subscribe', id: 'one', streamNo: first.streamNo });
  watch.send({ type: 'subscribe', id: 'two', streamNo: second.streamNo, from: '1.1' });
  let finals = 0;
  const seen = await watch.until((frame) => frame.type === 'final' && (finals += 1) === 2);
  expect(textOf(seen, 'one')).toBe('ab');
  expect(textOf(seen, 'two')).toBe('d');
  watch.socket.close();
});

test('[WATCH-4] ack is the flow control: with a full window the service waits, and goes on after it', async () => {
  const stream = await raw.open();
  const watch = await WatchSocket.connect();
  watch.send({ type: 'subscribe', id: '1', streamNo: stream.streamNo, window: 2 });
  await watch.until(isType('stream'));
  for (let seq = 1; seq <= 10; seq += 1) await raw.append(stream, { seq, data: `${seq}.` });
  let text = '';
  let sent = 0;
  let cursor = '';
  while (sent < 2) {
    const frame = await watch.next();
    expect(frame.type).toBe('fragment');
    ({ cursor } = frame);
    sent = frame.to;
    text += frame.text;
  }
  expect(await watch.next(300)).toBeNull();
  await raw.verdict(stream, 'end', { lastSeq: 10 });
  for (;;) {
    watch.send({ type: 'ack', id: '1', cursor });
    const frame = await watch.next();
    if (frame.type === 'final') break;
    text += frame.text;
    ({ cursor } = frame);
  }
  expect(text).toBe('1.2.3.4.5.6.7.8.9.10.');
  watch.socket.close();
});

test('a channel on a socket carries present and future streams', async () => {
  const channel = `ws-${crypto.randomUUID()}`;
  const present = await raw.write(['old'], { channel });
  const watch = await WatchSocket.connect();
  watch.send({ type: 'subscribe', id: 'c', channel });
  expect((await watch.until(isType('final', 'c'))).at(-1).streamNo).toBe(present.streamNo);
  const future = await raw.open({ channel });
  await raw.append(future, { seq: 1, data: 'new' });
  expect((await watch.until(isType('fragment', 'c'))).at(-1)).toMatchObject({ streamNo: future.streamNo, text: 'new' });
  watch.socket.close();
});

test('unsubscribe ends the events of one stream only', async () => {
  const [first, second] = [await raw.open(), await raw.open()];
  const watch = await WatchSocket.connect();
  watch.send({ type: 'subscribe', id: 'a', streamNo: first.streamNo });
  watch.send({ type: 'subscribe', id: 'b', streamNo: second.streamNo });
  await watch.until(isType('stream', 'b'));
  watch.send({ type: 'unsubscribe', id: 'a' });
  // Frames are taken in their order: when b is answered, a is gone.
  watch.send({ type: 'subscribe', id: 'c', streamNo: second.streamNo });
  await watch.until(isType('stream', 'c'));
  await raw.append(first, { seq: 1, data: 'unseen' });
  await raw.append(second, { seq: 1, data: 'seen' });
  const seen = await watch.until(isType('fragment', 'c'));
  expect(seen.filter(isType('fragment', 'a'))).toEqual([]);
  watch.socket.close();
});

test('[WATCH-8] a reader with the scope cancels over its socket', async () => {
  const stream = await raw.open();
  const watch = await WatchSocket.connect();
  watch.send({ type: 'subscribe', id: '1', streamNo: stream.streamNo });
  await watch.until(isType('stream'));
  watch.send({ type: 'cancel', streamNo: stream.streamNo, reason: 'stop' });
  const seen = await watch.until(isType('final', '1'));
  expect(seen.at(-1)).toMatchObject({ status: 'cancelled', reason: 'stop' });
  watch.socket.close();
});

test('a socket whose token reads one stream gets that one and no other', async () => {
  const [mine, other] = [await raw.write(['mine']), await raw.write(['other'])];
  const watch = await WatchSocket.connect(mine.readToken);
  watch.send({ type: 'subscribe', id: 'other', streamNo: other.streamNo });
  expect((await watch.until(isType('problem'))).at(-1)).toMatchObject({ id: 'other', problem: { code: 'FORBIDDEN' } });
  watch.send({ type: 'subscribe', id: 'mine', streamNo: mine.streamNo });
  expect(textOf(await watch.until(isType('final', 'mine')), 'mine')).toBe('mine');
  watch.socket.close();
});

test.each([
  ['a made-up streamNo', { type: 'subscribe', id: '1', streamNo: 'made-up' }, 'STREAM_NO_NOT_ISSUED'],
  ['an unknown type', { type: 'shout' }, 'FRAME_INVALID'],
  ['a subscription to nothing', { type: 'subscribe', id: '1' }, 'FRAME_INVALID'],
])('[NO-2] %s is told on the socket', async (_, frame, code) => {
  const watch = await WatchSocket.connect();
  watch.send(frame as WatchRequest);
  expect((await watch.until(isType('problem'))).at(-1).problem.code).toBe(code);
  watch.socket.terminate();
});

test('a socket with a wrong token is told why', async () => {
  const watch = await WatchSocket.connect('rk_dev_wrong');
  expect((await watch.until(isType('problem'))).at(-1).problem.code).toBe('UNAUTHENTICATED');
  watch.socket.terminate();
});

test('[WATCH-12] a channel on a socket continues at its channelCursor, which an event stream takes too', async () => {
  const channel = `ws-resume-${crypto.randomUUID()}`;
  const stream = await raw.open({ channel });
  await raw.append(stream, { fragments: [{ seq: 1, data: 'a' }, { seq: 2, data: 'b' }] });
  const watch = await WatchSocket.connect();
  watch.send({ type: 'subscribe', id: 'c', channel, window: 1 });
  const { channelCursor, text } = (await watch.until(isType('fragment', 'c'))).at(-1);
  expect(text).toBe('a');
  watch.socket.terminate();
  const meanwhile = await raw.write(['new'], { channel });
  await raw.verdict(stream, 'end', { lastSeq: 2 });
  const again = await WatchSocket.connect();
  again.send({ type: 'subscribe', id: 'd', channel, from: channelCursor });
  let finals = 0;
  const seen = await again.until((frame) => frame.type === 'final' && (finals += 1) === 2);
  const told = seen.filter(isType('fragment')).map((frame) => [frame.streamNo, frame.text]);
  expect(told.sort()).toEqual([[stream.streamNo, 'b'], [meanwhile.streamNo, 'new']].sort());
  again.socket.close();
  const feed = await Sse.connect(raw, `/v1/watch/channels/${channel}/events?from=${channelCursor}`);
  expect((await feed.until('fragment')).at(-1)).toMatchObject({ data: { streamNo: stream.streamNo, text: 'b' } });
  feed.close();
});

test('[WATCH-3] `latest` on a socket: who has no credit for a while gets the newest value of each lane then', async () => {
  const stream = await raw.open({ contentType: 'application/json', merge: 'latest' });
  const watch = await WatchSocket.connect();
  watch.send({ type: 'subscribe', id: 't', streamNo: stream.streamNo, window: 1 });
  const count = 60;
  const append = (seq: number) => raw.append(stream, { seq, data: { at: seq }, lane: seq % 2 === 0 ? 'even' : 'odd' });
  await append(1);
  expect((await watch.until(isType('fragment', 't'))).at(-1)).toMatchObject({ items: [{ at: 1 }], lane: 'odd' });
  for (let seq = 2; seq <= count; seq += 1) await append(seq);
  await raw.verdict(stream, 'end', { lastSeq: count });
  watch.send({ type: 'ack', id: 't', cursor: '1.1' });
  const seen = await watch.until(isType('final', 't'));
  expect(seen.filter(isType('fragment', 't'))).toMatchObject([
    { from: 2, to: count - 1, lane: 'odd', items: [{ at: count - 1 }] }, { from: count, to: count, lane: 'even', items: [{ at: count }] },
  ]);
  watch.socket.close();
});
