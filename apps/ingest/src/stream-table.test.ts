import { decodeLifecycle, encodeLifecycle } from '@rivulet/protocol';
import type { LifecycleValue } from '@rivulet/protocol';
import { MemoryLog } from '@rivulet/log';
import type { Appender } from '@rivulet/log';
import { openRecord } from '../../../test/support/memory-source';
import { StreamTable } from './stream-table';

let log: MemoryLog;
let table: StreamTable;
let appender: Appender<[string, Buffer]>;
beforeEach(async () => {
  log = new MemoryLog();
  await log.createTopics([{ topic: 'l', partitions: 1, replication: 1, settings: {} }]);
  const undecodable: number[] = [];
  table = new StreamTable({
    log, topic: 'l', decode: decodeLifecycle, finalStreamsMax: 2, onUndecodable: (_partition, offset) => undecodable.push(offset),
  });
  appender = log.appender({
    topic: 'l', class: 'control', queueBytesMax: 1 << 20, batchBytesMax: 1 << 19, batchEntriesMax: 100, deadlineMs: 1000,
    encode: (entries) => entries.map(([key, value]) => ({ key, value, entries: 1 })),
  });
  await table.ready;
});
afterEach(async () => {
  await table.close();
  await appender.close();
});

function value(streamNo: string, offset: number, overrides: Partial<LifecycleValue> = {}): LifecycleValue {
  const { kind: _kind, ...open } = openRecord();
  return {
    version: [0, offset, 0], streamNo, status: 'open', open, openedAt: 1, openedOffset: 0, epoch: 1, sequence: 0, bytes: 0, checksum: 0, updatedAt: 1,
    attempts: [], verdicts: [], final: null, positions: [], ...overrides,
  };
}
async function publish(...values: LifecycleValue[]): Promise<void> {
  await Promise.all(values.map((one) => appender.append(0, [one.streamNo, encodeLifecycle(one) as Buffer], 100)));
}
const ended = (streamNo: string, offset: number): LifecycleValue => value(streamNo, offset, {
  status: 'ended',
  final: { status: 'ended', reason: '', message: '', epoch: 1, sequence: 3, bytes: 3, checksum: 1, digest: '', metadata: {}, at: 1, offset },
});

test('[APPEND-1] a verdict is found by the offset of its record, whether it came before or comes later', async () => {
  await publish(value('s', 5, { verdicts: [{ offset: 5, kind: 'end', outcome: 'refused', code: 'END_MISMATCH' }] }));
  expect(await table.verdict('s', 5, 1000)).toMatchObject({ verdict: { code: 'END_MISMATCH' } });
  const later = table.verdict('s', 9, 5000);
  await publish(value('s', 9, { verdicts: [{ offset: 9, kind: 'end', outcome: 'accepted' }] }));
  expect(await later).toMatchObject({ verdict: { outcome: 'accepted' }, known: { version: [0, 9, 0] } });
});

test('[APPEND-1] a verdict that is still pending is not an answer', async () => {
  await publish(value('s', 5, { verdicts: [{ offset: 5, kind: 'end', outcome: 'pending' }] }));
  expect(await table.verdict('s', 5, 50)).toBeNull();
});

test('an older version never replaces a newer one', async () => {
  const seen = table.until('s', (known) => known.epoch === 2, 5000);
  await publish(value('s', 9, { epoch: 2 }), value('s', 4, { epoch: 1 }), value('t', 1));
  await seen;
  await table.until('t', () => true, 5000);
  expect(table.get('s')).toMatchObject({ epoch: 2 });
});

test('final streams are bounded, the oldest is forgotten; open ones are kept', async () => {
  await publish(value('open', 1), ended('a', 2), ended('b', 3), ended('c', 4));
  await table.until('c', (known) => known.final !== null, 5000);
  expect(['open', 'a', 'b', 'c'].map((no) => table.get(no)?.status)).toEqual(['open', undefined, 'ended', 'ended']);
});

test("the owners' keys are not streams, and a broken value stops nothing", async () => {
  await appender.append(0, ['#owner', Buffer.from('{}')], 1);
  await appender.append(0, ['s', Buffer.from('not JSON')], 1);
  await publish(value('s', 3));
  expect(await table.until('s', () => true, 5000)).toMatchObject({ streamNo: 's' });
  expect(table.size).toBe(1);
});
