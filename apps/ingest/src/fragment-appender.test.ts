import fc from 'fast-check';
import { decodeRecord } from '@rivulet/protocol';
import type { AppendRecord } from '@rivulet/protocol';
import { MemoryLog } from '@rivulet/log';
import type { RecordToAppend } from '@rivulet/log';
import type { AppendEntry, LogEntry, Route } from './append-entry';
import { FragmentAppender, packEntries } from './fragment-appender';

const entry = (overrides: Partial<AppendEntry> & { texts?: string[] } = {}): AppendEntry => {
  const payloads = (overrides.texts ?? ['x']).map((text) => Buffer.from(text));
  const { texts: _texts, ...rest } = overrides;
  return {
    kind: 'append', streamNo: 's', epoch: 1, firstSeq: 1, n: 0, run: '', lane: '', payloads,
    bytes: payloads.reduce((sum, payload) => sum + payload.length, 0), ...rest,
  };
};
const pack = (entries: LogEntry[]): RecordToAppend[] => packEntries(entries, 'boot', { fragments: 0, records: 0 });
const appendOf = (record: RecordToAppend): AppendRecord => decodeRecord(Buffer.from(record.value!)) as AppendRecord;

test('consecutive fragments of one stream, epoch, lane and run become one record', () => {
  const records = pack([entry(), entry({ firstSeq: 2, texts: ['y', 'z'] }), entry({ firstSeq: 4 })]);
  expect(records).toHaveLength(1);
  expect(records[0]).toMatchObject({ key: 's', entries: 3 });
  expect(appendOf(records[0]!)).toMatchObject({ firstSeq: 1, n: 0, writer: '' });
  expect(appendOf(records[0]!).payloads.map((payload) => Buffer.from(payload).toString())).toEqual(['x', 'y', 'z', 'x']);
});

test.each<[string, Partial<AppendEntry>]>([
  ['a gap', { firstSeq: 3 }], ['a duplicate', { firstSeq: 1 }], ['another stream', { firstSeq: 2, streamNo: 't' }],
  ['another epoch', { firstSeq: 2, epoch: 2 }], ['another lane', { firstSeq: 2, lane: 'l' }], ['another run', { firstSeq: 2, run: 'r' }],
  ['an unnumbered one', { firstSeq: 0, n: 2 }],
])('%s is not packed', (_name, second) => {
  expect(pack([entry(), entry(second)]).map(({ entries }) => entries)).toEqual([1, 1]);
});

test('an end stays behind the fragments before it', () => {
  const end: LogEntry = { kind: 'seal', streamNo: 's', record: { kind: 'end', epoch: 1, lastSeq: 2, checksum: null, digest: '', metadata: {} } };
  const records = pack([entry(), entry({ firstSeq: 2 }), end]);
  expect(records.map(({ entries }) => entries)).toEqual([2, 1]);
  expect(decodeRecord(Buffer.from(records[1]!.value!))).toMatchObject({ kind: 'end', lastSeq: 2 });
});

test('packing leaves the payload list of the request alone', () => {
  const first = entry();
  pack([first, entry({ firstSeq: 2 })]);
  expect(first.payloads).toHaveLength(1);
});

test('whatever is packed, every entry is carried once, in order, with its sequence', () => {
  const entries = fc.array(fc.record({ stream: fc.constantFrom('a', 'b'), skip: fc.integer({ min: 0, max: 1 }), count: fc.integer({ min: 1, max: 3 }) }));
  fc.assert(fc.property(entries, (asked) => {
    const next: Record<string, number> = { a: 1, b: 1 };
    const made = asked.map(({ stream, skip, count }) => {
      const firstSeq = next[stream]! + skip;
      next[stream] = firstSeq + count;
      return entry({ streamNo: stream, firstSeq, texts: Array.from({ length: count }, (_, index) => `${stream}${firstSeq + index}`) });
    });
    const records = pack(made);
    expect(records.reduce((sum, record) => sum + record.entries, 0)).toBe(made.length);
    const carried = records.flatMap((record) => appendOf(record).payloads.map((payload, index) => {
      const text = Buffer.from(payload).toString();
      expect(text).toBe(`${record.key}${appendOf(record).firstSeq + index}`);
      return text;
    }));
    expect(carried).toEqual(made.flatMap(({ payloads }) => payloads.map((payload) => Buffer.from(payload).toString())));
  }));
});

describe('over a log', () => {
  const route = (streamNo: string, partition = 0): Route =>
    ({ streamNo, partition, epoch: 1, run: '', rules: { merge: 'text', fragmentBytesMax: 1 << 18 }, quota: null });
  const run = (text: string, firstSeq = 0) => ({ firstSeq, lane: '', payloads: [Buffer.from(text)], bytes: text.length });

  async function start(queueBytesMax = 1 << 20): Promise<{ log: MemoryLog; appender: FragmentAppender }> {
    const log = new MemoryLog();
    await log.createTopics([{ topic: 'f', partitions: 3, replication: 1, settings: {} }]);
    const appender = new FragmentAppender(log, {
      topic: 'f', partitionsInteractive: 2, writer: 'boot', queueBytesMax, batchBytesMax: 1 << 19, batchEntriesMax: 1000, deadlineMs: 5000,
    });
    return { log, appender };
  }

  test('[JUDGE-4] numbers of unnumbered fragments grow along every stream of a partition, and neighbours pack', async () => {
    const { log, appender } = await start();
    await Promise.all([appender.append(route('s'), run('a')), appender.append(route('s'), run('b')), appender.append(route('t'), run('c'))]);
    await appender.append(route('s'), run('d'));
    const { records } = await log.scan('f', 0, 0);
    const kept = records.map((record) => ({ key: record.key, ...(decodeRecord(record.value!) as AppendRecord) }));
    expect(kept.map(({ key, n, payloads, writer }) => [key, n, payloads.length, writer])).toEqual([['s', 1, 2, 'boot'], ['t', 3, 1, 'boot'], ['s', 4, 1, 'boot']]);
    expect(appender.counts).toEqual({ fragments: 4, records: 3 });
    await appender.close();
  });

  test('[APPEND-5] who can wait is let in when the queue has fallen; who cannot is refused when it is full', async () => {
    const { log, appender } = await start(1000);
    log.faults.isAway = true;
    const queued = [1, 2, 3].map((seq) => appender.append(route('s'), run('x'.repeat(200), seq)));
    expect(appender.hasRoom(0, 100)).toBe(false);
    expect(appender.hasRoom(1, 100)).toBe(true);
    await expect(appender.append(route('s'), run('x'.repeat(200), 4))).rejects.toMatchObject({ code: 'OVERLOADED' });
    let isIn = false;
    const room = appender.room(0, 100).then(() => (isIn = true));
    expect(isIn).toBe(false);
    log.faults.isAway = false;
    await Promise.all(queued);
    await room;
    expect(appender.queuedBytes(0)).toBe(0);
    await appender.close();
  });

  test('[KAFKA-25] a streaming body of bulk waits for its turn while interactive flows, and gets it', async () => {
    const { appender } = await start();
    expect(appender.hasRoom(2, 100)).toBe(true);
    await appender.append(route('s'), run('a'));
    expect([appender.hasRoom(0, 100), appender.hasRoom(2, 100)]).toEqual([true, false]);
    await appender.room(2, 100);
    await appender.append(route('b', 2), run('b'));
    await appender.close();
  });

  test('[KAFKA-25] so does a body of bulk that is here already; one of interactive never does', async () => {
    const { appender } = await start();
    await appender.append(route('s'), run('a'));
    const whole = [appender.appendWhole(route('s'), [run('b')]), appender.appendWhole(route('b', 2), [run('c'), run('d')])];
    expect([appender.queuedBytes(0) > 0, appender.queuedBytes(2)]).toEqual([true, 0]);
    await Promise.all(whole);
    await appender.close();
  });

  test('[APPEND-5] who waits behind what was appended while nobody waited is let in when that is durable', async () => {
    const { log, appender } = await start(1000);
    log.faults.isAway = true;
    await appender.room(0, 200);
    const queued = [appender.append(route('s'), run('x'.repeat(200), 1))];
    expect(appender.hasRoom(0, 0)).toBe(true);
    let isIn = false;
    const room = appender.room(0, 200).then(() => (isIn = true));
    log.faults.isAway = false;
    await Promise.all(queued);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isIn).toBe(true);
    await room;
    await appender.close();
  });
});
