import WebSocket from 'ws';
import type { ProduceReply, ProduceRequest } from '@rivulet/protocol';
import { Described } from './described';
import { Raw, Sse } from './raw';
import { suiteTarget } from './target';

const target = suiteTarget();
const raw = new Raw(target);
let described: Described;
beforeAll(async () => { described = await Described.of(target.url); });

interface Frame { type: string; [member: string]: unknown }

/** A socket all of whose frames, both ways, must be as described. */
class DescribedSocket {
  private readonly frames: Frame[] = [];
  private error: unknown = null;
  private wake: () => void = () => undefined;

  private constructor(readonly socket: WebSocket, private readonly group: 'Watch' | 'Produce') {
    socket.on('message', (text) => {
      const frame = JSON.parse(String(text)) as Frame;
      try {
        described.check(`${group}Reply`, frame.type, frame);
      } catch (error) {
        this.error = error;
      }
      this.frames.push(frame);
      this.wake();
    });
  }

  static async connect(path: string, group: 'Watch' | 'Produce'): Promise<DescribedSocket> {
    const one = new DescribedSocket(new WebSocket(target.url.replace(/^http/, 'ws') + path), group);
    await new Promise((resolve, reject) => one.socket.once('open', resolve).once('error', reject));
    one.send({ type: 'auth', token: target.apiKey });
    return one;
  }

  send(frame: Frame | ProduceRequest): void {
    described.check(`${this.group}Request`, frame.type, frame);
    this.socket.send(JSON.stringify(frame));
  }

  /** Takes frames up to the first that matches. */
  async until(matches: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      if (this.error !== null) throw this.error;
      const frame = this.frames.shift();
      if (frame === undefined) await new Promise<void>((resolve) => (this.wake = resolve));
      else if (matches(frame)) return frame;
    }
  }

  one(type: string): Promise<Frame> {
    return this.until((frame) => frame.type === type);
  }
}

test('every frame of a producer\'s socket, both ways, is as /asyncapi.json says', async () => {
  const producer = await DescribedSocket.connect('/v1/streams/ws', 'Produce');
  await producer.one('ready');
  producer.send({ type: 'open', id: 'o', options: { channel: 'described', metadata: { a: 1 } } });
  const { streamNo } = await producer.one('opened') as unknown as Extract<ProduceReply, { type: 'opened' }>;
  producer.send({ type: 'append', streamNo, seq: 1, data: 'one' });
  producer.send({ type: 'append', streamNo, fragments: [{ seq: 2, data: 'two', lane: 'l' }] });
  await producer.until((frame) => frame.type === 'ack' && frame['to'] === 2);
  producer.send({ type: 'heartbeat', streamNo });
  producer.send({ type: 'end', streamNo, lastSeq: 2, metadata: { b: 2 } });
  await producer.one('verdict');
  producer.send({ type: 'open', id: 'p' });
  const { streamNo: other } = await producer.one('opened') as unknown as { streamNo: string };
  producer.send({ type: 'append', streamNo: other, data: 'unnumbered' });
  await producer.one('ack');
  await raw.post({ streamNo: other } as never, 'cancel', { reason: 'enough' }, target.apiKey);
  await producer.one('cancelled');
  producer.send({ type: 'abort', streamNo: other, code: 'X' });
  producer.send({ type: 'cancel', streamNo: 'made-up-made-up-made-up-made-up-'.replace(/[^0-9a-z]|[ilou]/g, '0') });
  await producer.one('problem');
  producer.socket.close();
  // A window is sent when a queue is full, which this does not wait for.
  expect(described.names('ProduceReply').filter((name) => !described.seen.has(name))).toEqual(['ProduceReply.window']);
  expect(described.names('ProduceRequest').filter((name) => !described.seen.has(name))).toEqual([]);
});

test('every frame of a watcher\'s socket and every event of a feed is as /asyncapi.json says', async () => {
  const stream = await raw.open({ channel: `described-${crypto.randomUUID()}`, leaseMs: 1_000 });
  const watcher = await DescribedSocket.connect('/v1/watch/ws', 'Watch');
  const feed = await Sse.connect(raw, `/v1/watch/${stream.streamNo}/events`);
  await watcher.one('ready');
  watcher.send({ type: 'subscribe', id: 's', streamNo: stream.streamNo, window: 100, intervalMs: 0 });
  await watcher.one('stream');
  await raw.append(stream, { seq: 1, data: 'one', lane: 'l' });
  const { cursor } = await watcher.one('fragment');
  watcher.send({ type: 'ack', id: 's', cursor });
  await watcher.one('lost');
  const retried = (await raw.post(stream, 'retries', { attemptId: 'a', keep: 'none' })).json as { writeToken: string };
  const again = { ...stream, writeToken: retried.writeToken };
  await watcher.one('rewind');
  await raw.append(again, { seq: 1, data: 'two' });
  await watcher.one('lost');
  await raw.append(again, { seq: 2, data: 'three' });
  await watcher.one('resumed');
  watcher.send({ type: 'subscribe', id: 'gone', streamNo: stream.streamNo });
  watcher.send({ type: 'unsubscribe', id: 'gone' });
  watcher.send({ type: 'subscribe', id: 's', streamNo: stream.streamNo });
  await watcher.one('problem');
  watcher.send({ type: 'cancel', streamNo: stream.streamNo, reason: 'enough' });
  await watcher.one('cancelled');
  watcher.send({ type: 'subscribe', id: 'c', channel: 'described', from: 'now' });
  await watcher.one('reset');
  const confirmed = await raw.open();
  await raw.append(confirmed, { seq: 1, data: 'one' });
  watcher.send({ type: 'subscribe', id: 'n', streamNo: confirmed.streamNo, session: 'described', window: 1 });
  await watcher.one('probe');
  watcher.send({ type: 'ack', id: 'n', cursor: '1.1' });
  await watcher.one('confirmed');
  watcher.socket.close();
  const named = await Sse.connect(raw, `/v1/watch/${confirmed.streamNo}/events?session=described-too&window=1`);
  for (const { event, data } of [...await feed.until('final'), ...await named.until('probe')]) described.check('Event', event, data);
  const unseen = (group: string): string[] => described.names(group).filter((name) => !described.seen.has(name) && !name.endsWith('.proto'));
  expect([...unseen('WatchRequest'), ...unseen('WatchReply').filter((name) => name !== 'WatchReply.final')]).toEqual([]);
  expect(unseen('Event')).toEqual(['Event.reset', 'Event.unavailable', 'Event.problem']);
});
