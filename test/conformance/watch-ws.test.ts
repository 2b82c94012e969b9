import WebSocket from 'ws';
import { SUBPROTOCOLS } from '@rivulet/protocol';
import type { WatchRequest } from '@rivulet/protocol';
import { Raw, Sse } from './raw';
import { suiteTarget } from './target';
import { WatchLine } from './watch-line';
import type { Frame } from './watch-line';

const target = suiteTarget();
const raw = new Raw(target);

const isType = (type: string, id?: string) => (frame: Frame): boolean => frame.type === type && (id === undefined || frame.id === id);
const textOf = (frames: Frame[], id: string): string => frames.filter(isType('fragment', id)).map(({ text }) => text).join('');

// One suite for both: what is true of JSON frames is true of Protobuf ones.
describe.each(Object.values(SUBPROTOCOLS))('%s', (subprotocol) => {
  const connect = (token?: string): Promise<WatchLine> => WatchLine.connect(target, subprotocol, token);

  test('many streams on one socket, each event with the id of its subscription', async () => {
    const [first, second] = [await raw.write(['a', 'b']), await raw.write(['c', 'd'])];
    const watch = await connect();
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
    const watch = await connect();
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
    const watch = await connect();
    watch.send({ type: 'subscribe', id: 'c', channel });
    expect((await watch.until(isType('final', 'c'))).at(-1).streamNo).toBe(present.streamNo);
    const future = await raw.open({ channel });
    await raw.append(future, { seq: 1, data: 'new' });
    expect((await watch.until(isType('fragment', 'c'))).at(-1)).toMatchObject({ streamNo: future.streamNo, text: 'new' });
    watch.socket.close();
  });

  test('unsubscribe ends the events of one stream only', async () => {
    const [first, second] = [await raw.open(), await raw.open()];
    const watch = await connect();
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
    const watch = await connect();
    watch.send({ type: 'subscribe', id: '1', streamNo: stream.streamNo });
    await watch.until(isType('stream'));
    watch.send({ type: 'cancel', streamNo: stream.streamNo, reason: 'stop' });
    const seen = await watch.until(isType('final', '1'));
    expect(seen.at(-1)).toMatchObject({ status: 'cancelled', reason: 'stop' });
    watch.socket.close();
  });

  test('a socket whose token reads one stream gets that one and no other', async () => {
    const [mine, other] = [await raw.write(['mine']), await raw.write(['other'])];
    const watch = await connect(mine.readToken);
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
    const watch = await connect();
    watch.send(frame as WatchRequest);
    expect((await watch.until(isType('problem'))).at(-1).problem.code).toBe(code);
    watch.socket.terminate();
  });

  test('a socket with a wrong token is told why', async () => {
    const watch = await connect('rk_dev_wrong');
    expect((await watch.until(isType('problem'))).at(-1).problem.code).toBe('UNAUTHENTICATED');
    watch.socket.terminate();
  });

  test('[WATCH-12] a channel on a socket continues at its channelCursor, which an event stream takes too', async () => {
    const channel = `ws-resume-${crypto.randomUUID()}`;
    const stream = await raw.open({ channel });
    await raw.append(stream, { fragments: [{ seq: 1, data: 'a' }, { seq: 2, data: 'b' }] });
    const watch = await connect();
    watch.send({ type: 'subscribe', id: 'c', channel, window: 1 });
    const { channelCursor, text } = (await watch.until(isType('fragment', 'c'))).at(-1);
    expect(text).toBe('a');
    watch.socket.terminate();
    const meanwhile = await raw.write(['new'], { channel });
    await raw.verdict(stream, 'end', { lastSeq: 2 });
    const again = await connect();
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
    const watch = await connect();
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

  test('[WATCH-6] an ack of a named session is answered when it is durable; a newer connection takes the name, not the socket', async () => {
    const stream = await raw.write(['a', 'b', 'c']);
    const older = await connect();
    older.send({ type: 'subscribe', id: '1', streamNo: stream.streamNo, session: 'name', window: 2 });
    const first = await older.until((frame) => frame.cursor === '1.2');
    expect(first.find(isType('stream'))).toMatchObject({ confirmed: null });
    expect(textOf(first, '1')).toBe('ab');
    older.send({ type: 'ack', id: '1', cursor: '1.1' });
    expect((await older.until(isType('confirmed'))).at(-1)).toMatchObject({ id: '1', session: 'name', cursor: '1.1' });
    const newer = await connect();
    newer.send({ type: 'subscribe', id: '2', streamNo: stream.streamNo, session: 'name' });
    const rest = await newer.until(isType('final'));
    expect(rest.find(isType('stream'))).toMatchObject({ confirmed: '1.1' });
    expect(textOf(rest, '2')).toBe('bc');
    newer.send({ type: 'ack', id: '2', cursor: '1.3.f' });
    await newer.until(isType('confirmed'));
    const taken = await connect();
    taken.send({ type: 'subscribe', id: '3', streamNo: stream.streamNo, session: 'name' });
    expect((await taken.until(isType('stream'))).at(-1)).toMatchObject({ confirmed: '1.3.f' });
    for (const one of [older, newer, taken]) one.socket.close();
  });

  test('[WATCH-6] over a socket too the older connection of a name is told SESSION_TAKEN', async () => {
    const stream = await raw.open();
    const [older, newer] = [await connect(), await connect()];
    older.send({ type: 'subscribe', id: '1', streamNo: stream.streamNo, session: 'name' });
    await older.until(isType('stream'));
    newer.send({ type: 'subscribe', id: '1', streamNo: stream.streamNo, session: 'name' });
    await newer.until(isType('stream'));
    expect((await older.until(isType('problem'))).at(-1)).toMatchObject({ id: '1', problem: { code: 'SESSION_TAKEN' } });
    older.send({ type: 'subscribe', id: '2', streamNo: stream.streamNo });
    await older.until(isType('stream', '2'));
    for (const one of [older, newer]) one.socket.close();
  });

  test('bytes come as they went, whatever they are', async () => {
    const content = Buffer.from(Array.from({ length: 600 }, (_, index) => (index * 7) % 256));
    const stream = await raw.open({ contentType: 'application/octet-stream' });
    for (let seq = 1; seq <= 3; seq += 1) {
      await raw.append(stream, { seq, base64: content.subarray((seq - 1) * 200, seq * 200).toString('base64') });
    }
    await raw.verdict(stream, 'end', { lastSeq: 3 });
    const watch = await connect();
    watch.send({ type: 'subscribe', id: 'b', streamNo: stream.streamNo });
    const seen = await watch.until(isType('final', 'b'));
    const parts = seen.filter(isType('fragment', 'b')).map(({ base64 }) => Buffer.from(base64, 'base64'));
    expect(Buffer.concat(parts).equals(content)).toBe(true);
    watch.socket.close();
  });

  test('JSON fragments come as items, with their lane; metadata with the first and the final event', async () => {
    const stream = await raw.open({ contentType: 'application/json', metadata: { model: 'm' } });
    await raw.append(stream, { seq: 1, data: { a: [1, null] }, lane: 'tool' });
    await raw.append(stream, { seq: 2, data: 'two', lane: 'tool' });
    await raw.verdict(stream, 'end', { lastSeq: 2, metadata: { tokens: 2 } });
    const watch = await connect();
    watch.send({ type: 'subscribe', id: 'j', streamNo: stream.streamNo });
    const seen = await watch.until(isType('final', 'j'));
    expect(seen.find(isType('stream'))).toMatchObject({ streamNo: stream.streamNo, merge: 'json', metadata: { model: 'm' } });
    expect(seen.filter(isType('fragment')).flatMap(({ items, lane }) => [lane, ...items])).toEqual(['tool', { a: [1, null] }, 'two']);
    expect(seen.at(-1)).toMatchObject({ status: 'ended', sequence: 2, cursor: '1.2.f', metadata: { tokens: 2 } });
    watch.socket.close();
  });

  test('a frame of the other kind, or one that cannot be decoded, is FRAME_INVALID and costs nothing else', async () => {
    const watch = await connect();
    await watch.until(isType('ready'));
    const isBinary = subprotocol === SUBPROTOCOLS.proto;
    const invalid = isBinary ? ['{"type":"unsubscribe","id":"x"}', Buffer.from([0xff, 0xff, 0xff]), Buffer.alloc(0)] : ['{', Buffer.from('{"type":"unsubscribe","id":"x"}'), '[]'];
    for (const frame of invalid) {
      watch.socket.send(frame);
      expect(await watch.next()).toMatchObject({ type: 'problem', problem: { code: 'FRAME_INVALID', status: 400 } });
    }
    watch.socket.close();
  });
});

test('a socket that offers only unknown subprotocols is refused, and told those there are', async () => {
  const socket = new WebSocket(`${target.url.replace(/^http/, 'ws')}/v1/watch/ws`, ['graphql-ws', 'rivulet.v9.cbor']);
  const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    socket.once('open', () => reject(new Error('it was taken'))).once('error', reject);
    socket.once('unexpected-response', (_, response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += String(part))).on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
  });
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.text)).toMatchObject({ code: 'OPTIONS_INVALID', detail: expect.stringContaining('rivulet.v1.json, rivulet.v1.proto') as string });
});

test('of several offered subprotocols the first that is known is spoken', async () => {
  const socket = new WebSocket(`${target.url.replace(/^http/, 'ws')}/v1/watch/ws`, ['rivulet.v9.cbor', SUBPROTOCOLS.proto, SUBPROTOCOLS.json]);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  expect(socket.protocol).toBe(SUBPROTOCOLS.proto);
  socket.close();
});
