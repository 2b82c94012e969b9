import { freshState, decodeWatchReply } from '@rivulet/protocol';
import type { FinalFacts, Merge } from '@rivulet/protocol';
import { openRecord } from '../../../test/support/memory-source';
import type { Tellable } from './event-text';
import { SharedFrames } from './shared-frames';
import { socketCodec } from './socket-codec';
import type { StreamEntry } from './stream-source';

const NO = '20d1xkq0v7m8a9c3e5g7j2n4p6r8t0w1';
function entryOf(merge: Merge): StreamEntry {
  const state = freshState(NO, openRecord({ merge, channel: '对话', metadata: { model: 'm' } }), 1_000, 5);
  return { streamNo: NO, state } as unknown as StreamEntry;
}
const bytesOf = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));
const run = (parts: Uint8Array[], lane = ''): Tellable => ({
  kind: 'fragments', generation: 1,
  run: { epoch: 1, lane, first: 3, last: 2 + parts.length, parts, bytes: parts.reduce((sum, { byteLength }) => sum + byteLength, 0) },
});
const final: FinalFacts = {
  status: 'failed', reason: 'X', message: 'why', epoch: 2, sequence: 7, bytes: 70, checksum: 2 ** 32 - 1, digest: '', metadata: { a: 1 }, at: 9, offset: 3,
};
const EVENTS: [string, Merge, Tellable][] = [
  ['stream', 'text', { kind: 'stream' }], ['rewind', 'text', { kind: 'rewind', epoch: 4 }], ['lost', 'text', { kind: 'lost' }],
  ['resumed', 'text', { kind: 'resumed' }], ['final', 'text', { kind: 'final', final }], ['text', 'text', run(bytesOf('红楼', '梦'), 'lane')],
  ['text that is not UTF-8', 'text', run([Buffer.from([0xff])])], ['bytes', 'bytes', run([Buffer.from([0, 1]), Buffer.from([255])])],
  ['nothing', 'bytes', run([Buffer.alloc(0)])], ['items', 'json', run(bytesOf('1', '{"a":\n[null]}'))], ['json that is none', 'json', run(bytesOf('{'))],
];

test.each(EVENTS)('[WATCH-3] %s says the same as JSON and as Protobuf', (_, merge, told) => {
  const entry = entryOf(merge);
  const frames = new SharedFrames();
  const text = socketCodec('').events('频道', frames)(entry, told) as string;
  const { raw, ...decoded } = decodeWatchReply(socketCodec('rivulet.v1.proto').events('频道', frames)(entry, told) as Uint8Array) as { raw?: Uint8Array };
  expect({ ...decoded, ...(raw ? { base64: Buffer.from(raw).toString('base64') } : {}) }).toEqual(JSON.parse(text));
});

test('[WATCH-4] the head is encoded once for all sessions of a format, whatever the ids of their subscriptions', () => {
  const entry = entryOf('bytes');
  let encodings = 0;
  const frames = new SharedFrames(() => (encodings += 1));
  const told = run([Buffer.alloc(3000, 1)]);
  Object.assign(entry.state, { next: 4 }); // at the head: what the counter above counts
  const sent = ['a', 'b', 'c'].map((id) => decodeWatchReply(socketCodec('rivulet.v1.proto').events(id, frames)(entry, told) as Uint8Array));
  expect(sent.map((reply) => (reply as { id: string }).id)).toEqual(['a', 'b', 'c']);
  expect(encodings).toBe(1);
});

test('bytes take their own size on a Protobuf frame, a third more on a JSON one', () => {
  const entry = entryOf('bytes');
  const [told, frames] = [run([Buffer.alloc(30_000, 7)]), new SharedFrames()];
  expect(socketCodec('rivulet.v1.proto').events('a', frames)(entry, told).length).toBeLessThan(30_100);
  expect(socketCodec('rivulet.v1.json').events('a', frames)(entry, told).length).toBeGreaterThan(40_000);
});
