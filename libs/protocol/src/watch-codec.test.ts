import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { problemOf, StreamError } from './errors';
import {
  decodeWatchReply, decodeWatchRequest, encodeJsonFragment, encodeSubscriptionId, encodeWatchEvent, encodeWatchReply, encodeWatchRequest,
} from './watch-codec';
import type { BinaryEvent, BinaryReply } from './watch-codec';
import type { WatchReply, WatchRequest } from './wire';

const NO = '20d1xkq0v7m8a9c3e5g7j2n4p6r8t0w1';
// Typed by the name of the member: a type that is added to wire.ts does not compile until it is here.
const REQUESTS: { [T in WatchRequest['type']]: Extract<WatchRequest, { type: T }>[] } = {
  auth: [{ type: 'auth', token: 'x'.repeat(2000) }],
  subscribe: [
    { type: 'subscribe', id: 'a', streamNo: NO, from: '1.2', window: 1_000_000, intervalMs: 0 }, { type: 'subscribe', id: '频道', channel: '对话', ended: 0 },
    { type: 'subscribe', id: 'n', streamNo: NO, session: 'name', connection: 'reader-a.2', window: 1 },
  ],
  unsubscribe: [{ type: 'unsubscribe', id: 'a' }],
  ack: [{ type: 'ack', id: 'a', cursor: '1.2' }],
  cancel: [{ type: 'cancel', streamNo: NO }, { type: 'cancel', streamNo: NO, reason: '' }],
};
const REPLIES: { [T in WatchReply['type']]: Extract<BinaryReply, { type: T }>[] } = {
  ready: [{ type: 'ready' }],
  stream: [{
    id: 'a', type: 'stream', streamNo: NO, status: 'lost', epoch: 2, attempt: 2, contentType: 'text/plain', merge: 'text', channel: '对话', metadata: { a: [1, null] },
  }, ...[null, '1.2'].map((confirmed) => ({
    id: 'a', type: 'stream' as const, streamNo: NO, status: 'open' as const, epoch: 1, attempt: 1, contentType: 'text/plain', merge: 'text' as const, channel: '', metadata: {}, confirmed,
  }))],
  confirmed: [{ type: 'confirmed', id: 'a', streamNo: NO, session: 'name', cursor: '1.2.f' }],
  probe: [{ id: 'a', type: 'probe', streamNo: NO, confirmed: null }, { id: 'a', type: 'probe', streamNo: NO, confirmed: '1.2' }],
  fragment: [
    { id: '', type: 'fragment', streamNo: NO, from: 1, to: 2 ** 53 - 1, cursor: '1.2', text: '' },
    { id: 'a', type: 'fragment', streamNo: NO, from: 1, to: 1, cursor: '1.1', lane: '推理', text: '红楼梦 🌊' },
    { id: 'a', type: 'fragment', streamNo: NO, from: 1, to: 1, cursor: '1.1', raw: Buffer.from([0, 255, 128]) },
    { id: 'a', type: 'fragment', streamNo: NO, from: 1, to: 3, cursor: '1.3', items: [1, 'two', { three: [null] }] },
  ],
  rewind: [{ id: 'a', type: 'rewind', streamNo: NO, epoch: 3, cursor: '3.0' }],
  reset: [
    { id: 'c', type: 'reset', channelCursor: 'x', reason: 'gone', streams: [{ streamNo: NO, cursor: '1.2' }] }, { id: 'c', type: 'reset', reason: 'now', streams: [] },
  ],
  lost: [{ id: 'c', channelCursor: 'x.y', type: 'lost', streamNo: NO }, { id: 'a', type: 'lost', streamNo: NO }],
  resumed: [{ id: 'a', type: 'resumed', streamNo: NO }],
  final: [{
    id: 'a', type: 'final', streamNo: NO, status: 'ended', reason: '', message: 'm', epoch: 1, sequence: 2 ** 40, bytes: 2 ** 41, checksum: 2 ** 32 - 1, digest: 'ab',
    metadata: { tokens: 3 }, at: 1.8e12, cursor: '1.3.f',
  }],
  cancelled: [{ type: 'cancelled', streamNo: NO, verdict: { streamNo: NO, status: 'PENDING', sequence: 1, bytes: 2, checksum: 3 } }],
  problem: [
    { type: 'problem', id: 'a', problem: problemOf(new StreamError('CURSOR_EXPIRED', { detail: 'd', oldest: '1.7', retryAfterMs: 3 })) },
    { type: 'problem', problem: { streamNo: NO, ...problemOf(new StreamError('INTERNAL')) } },
  ],
};
const requests: WatchRequest[] = Object.values(REQUESTS).flat();
const replies: BinaryReply[] = Object.values(REPLIES).flat();

test.each(requests.map((request) => [request.type, request] as const))('request %s comes back as it went', (_type, request) => {
  expect(decodeWatchRequest(encodeWatchRequest(request))).toEqual(request);
});

test.each(replies.map((reply) => [reply.type, reply] as const))('reply %s comes back as it went', (_type, reply) => {
  expect(decodeWatchReply(encodeWatchReply(reply))).toEqual(reply);
});

test('watch.proto has each type of frame, and each of its bodies is one', () => {
  const schema = readFileSync(path.join(__dirname, '..', 'proto', 'watch.proto'), 'utf8');
  const namesIn = (bodies: string): string[] => [...bodies.matchAll(/ (\w+) = \d+;/g)].map(([, name]) => name!);
  const [ofRequest, ofReply] = [...schema.matchAll(/oneof body \{([\s\S]*?)\}/g)].map(([, bodies]) => namesIn(bodies!));
  expect(ofRequest!.sort()).toEqual(Object.keys(REQUESTS).sort());
  expect(ofReply!.sort()).toEqual(Object.keys(REPLIES).sort());
});

test('the id and the shared event, one after the other, are the frame', () => {
  const events = replies.filter((reply): reply is { id: string } & BinaryEvent => !['ready', 'cancelled', 'problem', 'reset'].includes(reply.type));
  for (const reply of events) {
    const { id, channelCursor, ...event } = reply as typeof reply & { channelCursor?: string };
    expect(decodeWatchReply(Buffer.concat([encodeSubscriptionId(id, channelCursor), encodeWatchEvent(event)]))).toEqual(reply);
  }
});

test('JSON fragments keep the digits and spelling of their producer', () => {
  const frame = encodeJsonFragment({ streamNo: NO, from: 1, to: 2, cursor: '1.2', lane: 'l' }, ['1.0e2', '{"a":12345678901234567890}']);
  expect(Buffer.from(frame).toString()).toContain('{"a":12345678901234567890}');
  expect(decodeWatchReply(frame)).toMatchObject({ type: 'fragment', from: 1, to: 2, lane: 'l', items: [100, { a: 12345678901234567890 }] });
});

test('any bytes are a request or an Error, and cost no more than their length', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      const { type } = decodeWatchRequest(bytes) as WatchRequest;
      expect(Object.keys(REQUESTS)).toContain(type);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
  }), { numRuns: 2000 });
});
