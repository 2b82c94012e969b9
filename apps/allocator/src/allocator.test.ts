import { MemoryLog, topicSpecs } from '@rivulet/log';
import type { LogBatch, Tail, TailHandlers } from '@rivulet/log';
import { decodeRecord, StreamError, topicNames } from '@rivulet/protocol';
import type { ErrorCode, OpenedStream } from '@rivulet/protocol';
import { buildFrame } from '@rivulet/service';
import type { Frame } from '@rivulet/service';
import { eventually } from '../../../test/support/eventually';
import { FoldOwner } from '../../../test/support/fold-owner';
import { buildAllocator } from './build-allocator';
import type { BuiltAllocator } from './build-allocator';
import { readAllocatorConfig } from './config';
import { RecordWriter } from './record-writer';

const KEY = '0123456789abcdef'.repeat(4);
const HOUR_MS = 3_600_000;
const ENV = {
  RIVULET_LOG: 'memory', RIVULET_LOG_LEVEL: 'silent', RIVULET_STREAM_NO_KEYS: KEY, RIVULET_TOKEN_KEYS: KEY,
  RIVULET_PARTITIONS_INTERACTIVE: '4', RIVULET_PARTITIONS_BULK: '2',
};
const names = topicNames('rivulet');

interface System extends BuiltAllocator { frame: Frame; log: MemoryLog; fold: FoldOwner; clock: { now: number } }
const running: System[] = [];

/** A log of which this process sees nothing new while it stands still, as after SIGSTOP and SIGCONT. */
class StoppableLog extends MemoryLog {
  private gate: Promise<void> = Promise.resolve();

  /** @returns what lets it go on */
  stop(): () => void {
    let goOn = (): void => undefined;
    this.gate = new Promise((resolve) => (goOn = resolve));
    return goOn;
  }

  override tail(topic: string, partition: number, from: number, handlers: TailHandlers): Tail {
    const onBatch = async (batch: LogBatch): Promise<void> => {
      if (topic === names.lifecycle) await this.gate;
      await handlers.onBatch(batch);
    };
    return super.tail(topic, partition, from, { ...handlers, onBatch });
  }
}

async function start(env: Record<string, string> = {}, clock = { now: Date.now() }, log = new MemoryLog()): Promise<System> {
  const config = readAllocatorConfig({ ...ENV, ...env });
  const frame = buildFrame('allocator', config);
  await log.createTopics(topicSpecs(names, { interactive: 4, bulk: 2, replication: 1, minInsync: 1 }));
  const built = buildAllocator(frame, log, config, () => clock.now);
  const system = { ...built, frame, log, clock, fold: new FoldOwner(log, names, 6) };
  await built.ready;
  running.push(system);
  return system;
}

afterEach(async () => {
  for (const { frame, fold, log } of running.splice(0)) {
    await fold.close();
    await frame.drain.run();
    await log.close();
  }
});

const open = ({ allocator }: System, options: unknown = {}, idempotencyKey?: string): Promise<OpenedStream> =>
  allocator.open({ principal: 'app', options, idempotencyKey });

async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'resolved'> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    if (error instanceof StreamError) return error.code;
    throw error;
  }
}

async function recordsOf({ log }: System, kind: string): Promise<string[]> {
  const keys: string[] = [];
  for (let partition = 0; partition < 6; partition += 1) {
    const { records } = await log.scan(names.fragments, partition, 0);
    for (const { key, value } of records) if (value && decodeRecord(value).kind === kind) keys.push(key);
  }
  return keys;
}

const retry = ({ allocator }: System, streamNo: string, attemptId: string, epoch = 0) =>
  allocator.retry({ streamNo, epoch, attemptId, keep: 'all', reason: 'test' });

test('[NO-1] an open is durable when it answers, in the partition its streamNo names, with tokens that fit', async () => {
  const system = await start();
  const opened = await open(system, { channel: 'room-1', metadata: { model: 'm' } });
  const { partition } = system.frame.streamNos.verify(opened.streamNo);
  const { records } = await system.log.scan(names.fragments, partition, 0);
  expect(records.map(({ key }) => key)).toEqual([opened.streamNo]);
  expect(decodeRecord(records[0]!.value!)).toMatchObject({
    kind: 'open', channel: 'room-1', merge: 'text', class: 'interactive', leaseMs: 10_000, metadata: { model: 'm' },
    limits: { heldFragmentsMax: 64, fragmentBytesMax: 262_144 },
  });
  const { auth } = system.frame;
  const writer = await auth.authenticate({ authorization: `Bearer ${opened.writeToken}` });
  auth.authorize(writer, { scope: 'write', streamNo: opened.streamNo });
  expect(writer.claims).toMatchObject({ sub: opened.streamNo, e: 1, m: 'text' });
  const reader = await auth.authenticate({ queryToken: opened.readToken });
  auth.authorize(reader, { scope: 'read', streamNo: opened.streamNo });
  expect(() => auth.authorize(reader, { scope: 'write', streamNo: opened.streamNo })).toThrow(/FORBIDDEN/);
  expect(opened.links.append).toBe(`http://127.0.0.1:7100/v1/streams/${opened.streamNo}/fragments`);
});

test('streams of a channel share a partition of their class; bulk has its own partitions', async () => {
  const system = await start();
  const partitionOf = async (options: unknown) => system.frame.streamNos.verify((await open(system, options)).streamNo).partition;
  const first = await partitionOf({ channel: 'room' });
  expect(first).toBeLessThan(4);
  for (let i = 0; i < 5; i += 1) expect(await partitionOf({ channel: 'room' })).toBe(first);
  expect(await partitionOf({ channel: 'room', class: 'bulk' })).toBeGreaterThanOrEqual(4);
  const spread = new Set<number>();
  for (let i = 0; i < 60; i += 1) spread.add(await partitionOf({}));
  expect([...spread].sort()).toEqual([0, 1, 2, 3]);
});

test.each<[unknown, string | undefined, string]>([
  [{ leaseMs: 5 }, 'leaseMs', '1000 to 3600000'],
  [{ limits: { heldFragmentsMax: 65 } }, 'limits.heldFragmentsMax', '1 to 64'],
  [{ ttlMs: 6 * 24 * HOUR_MS, retentionMs: 2 * 24 * HOUR_MS }, 'ttlMs', 'retention of the log'],
  [{ leasMs: 5 }, 'leasMs', 'not an option'],
  [{ limits: { no: 1 } }, 'limits.no', 'not an option'],
  [{ channel: 'a/b' }, 'channel', '1 to 128'],
  [{ class: 'urgent' }, 'class', 'interactive, bulk'],
  [{ contentType: 'text' }, 'contentType', 'media type'],
  [{ metadata: { text: 'x'.repeat(9_000) } }, 'metadata', '8192 bytes'],
  [{ metadata: [] }, 'metadata', 'JSON object'],
  [[], undefined, 'JSON object'],
])('an option out of range is OPTIONS_INVALID and named with its range (case %#)', async (options, option, range) => {
  const system = await start();
  const error = await open(system, options).then(() => null, (reason: StreamError) => reason);
  expect(error?.code).toBe('OPTIONS_INVALID');
  expect(error?.details['option']).toBe(option);
  expect(error?.details.detail).toContain(range);
  expect(await recordsOf(system, 'open')).toEqual([]);
});

test('[APPEND-11] the same Idempotency-Key opens one stream, of another principal another', async () => {
  const clock = { now: Date.UTC(2026, 0, 1, 12, 30) };
  const system = await start({}, clock);
  const first = await open(system, {}, 'order-7');
  clock.now += 20 * 60_000;
  expect((await open(system, {}, 'order-7')).streamNo).toBe(first.streamNo);
  const other = await system.allocator.open({ principal: 'else', options: {}, idempotencyKey: 'order-7' });
  expect(other.streamNo).not.toBe(first.streamNo);
  expect((await open(system, {}, 'order-8')).streamNo).not.toBe(first.streamNo);
});

test('[APPEND-11] a retry just after the full hour still gets the stream of the hour before; long after it does not', async () => {
  const clock = { now: Date.UTC(2026, 0, 1, 12, 59, 58) };
  const system = await start({}, clock);
  const first = await open(system, {}, 'order-7');
  clock.now = Date.UTC(2026, 0, 1, 13, 0, 3);
  expect((await open(system, {}, 'order-7')).streamNo).toBe(first.streamNo);
  clock.now = Date.UTC(2026, 0, 1, 13, 30);
  expect((await open(system, {}, 'order-7')).streamNo).not.toBe(first.streamNo);
});

test('[APPEND-11] a UUIDv7 key gives the same streamNo on any instance and across hours, with the time of the key', async () => {
  const key = '01940d7b-5b80-7abc-8def-0123456789ab';
  const time = 0x01940d7b5b80;
  const one = await start({}, { now: time + 1_000 });
  const two = await start({}, { now: time + 3 * HOUR_MS });
  const first = await open(one, {}, key);
  expect((await open(two, {}, key)).streamNo).toBe(first.streamNo);
  expect(one.frame.streamNos.verify(first.streamNo).time).toBe(time);
  one.clock.now = time + 25 * HOUR_MS;
  expect(await codeOf(open(one, {}, key))).toBe('OPTIONS_INVALID');
  two.clock.now = time + 3 * HOUR_MS;
  expect(await codeOf(open(two, { ttlMs: 1_000, retentionMs: 0 }, key))).toBe('STREAM_GONE');
});

test('[APPEND-8] [APPEND-12] a retry answers with the new epoch and its write token once the log has decided', async () => {
  const system = await start();
  const { streamNo } = await open(system);
  const retried = await retry(system, streamNo, 'second', 1);
  expect(retried).toMatchObject({ streamNo, epoch: 2, next: 1, bytes: 0, checksum: 0 });
  const principal = await system.frame.auth.authenticate({ authorization: `Bearer ${retried.writeToken}` });
  expect(principal.claims?.e).toBe(2);
});

test('[APPEND-8] the same attemptId asks again and gets the same epoch, without a second attempt', async () => {
  const system = await start();
  const { streamNo } = await open(system);
  expect((await retry(system, streamNo, 'second', 1)).epoch).toBe(2);
  expect((await retry(system, streamNo, 'second', 1)).epoch).toBe(2);
  expect((await retry(system, streamNo, 'second')).epoch).toBe(2);
  expect(system.fold.streams.get(streamNo)?.state.attempts).toHaveLength(2);
});

test('[APPEND-8] an attempt of another that won is RETRY_CONFLICT for who held the old epoch', async () => {
  const system = await start();
  const { streamNo } = await open(system);
  const outcomes = await Promise.all(['a', 'b', 'c'].map((id) => codeOf(retry(system, streamNo, id, 1))));
  expect(outcomes.filter((code) => code === 'resolved')).toHaveLength(1);
  expect(outcomes.filter((code) => code === 'RETRY_CONFLICT')).toHaveLength(2);
  expect(await codeOf(retry(system, streamNo, 'd', 1))).toBe('RETRY_CONFLICT');
});

test('[APPEND-12] without an epoch a retry goes on after the newest attempt anybody saw, also where the process has stood still', async () => {
  const log = new StoppableLog();
  const system = await start({}, undefined, log);
  const { streamNo } = await open(system);
  await eventually(() => retry(system, streamNo, 'second'));
  const goOn = log.stop();
  const { partition } = system.frame.streamNos.verify(streamNo);
  const { end } = await log.bounds(names.lifecycle, partition);
  const another = new RecordWriter(log, names.fragments, readAllocatorConfig(ENV));
  await another.write(streamNo, partition, { kind: 'retry', epoch: 3, attemptId: 'third', keep: 'all', reason: 'of another allocator' });
  await eventually(async () => expect((await log.bounds(names.lifecycle, partition)).end).toBeGreaterThan(end));
  const fourth = retry(system, streamNo, 'fourth');
  setImmediate(goOn);
  expect((await fourth).epoch).toBe(4);
});

test('[APPEND-8] undecided at the deadline is RETRY_PENDING; asking again later answers without writing another record', async () => {
  const system = await start({ RIVULET_ALLOCATOR_VERDICT_MS_MAX: '100' });
  const { streamNo } = await open(system);
  await eventually(() => retry(system, streamNo, 'second', 1));
  system.fold.pause();
  expect(await codeOf(retry(system, streamNo, 'third', 2))).toBe('RETRY_PENDING');
  expect(await codeOf(retry(system, streamNo, 'third', 2))).toBe('RETRY_PENDING');
  system.fold.resume();
  await eventually(() => retry(system, streamNo, 'third', 2));
  expect(await recordsOf(system, 'retry')).toHaveLength(2);
});

test('[JUDGE-6] attempts beyond attemptsMax are ATTEMPTS_EXHAUSTED, then and later', async () => {
  const system = await start();
  const { streamNo } = await open(system, { limits: { attemptsMax: 2 } });
  await retry(system, streamNo, 'second', 1);
  expect(await codeOf(retry(system, streamNo, 'third', 2))).toBe('ATTEMPTS_EXHAUSTED');
  expect(await codeOf(retry(system, streamNo, 'fourth'))).toBe('ATTEMPTS_EXHAUSTED');
});

test('an epoch nobody started is EPOCH_UNKNOWN, a stream nobody opened STREAM_NOT_FOUND, a made-up one [NO-2] STREAM_NO_NOT_ISSUED', async () => {
  const system = await start({ RIVULET_ALLOCATOR_VERDICT_MS_MAX: '100' });
  const { streamNo } = await open(system);
  await eventually(async () => expect(await codeOf(retry(system, streamNo, 'x', 7))).toBe('EPOCH_UNKNOWN'));
  const unopened = system.frame.streamNos.issue({ time: 1, partition: 0 });
  expect(await codeOf(retry(system, unopened, 'x'))).toBe('STREAM_NOT_FOUND');
  expect(await codeOf(system.allocator.cancel({ streamNo: unopened, by: 'me', reason: '' }))).toBe('STREAM_NOT_FOUND');
  expect(await codeOf(retry(system, 'a'.repeat(32), 'x'))).toBe('STREAM_NO_NOT_ISSUED');
  expect(await codeOf(system.list.one('a'.repeat(32)))).toBe('STREAM_NO_NOT_ISSUED');
});

test('[APPEND-8] a stream whose owner has not shown it yet is pending, not unknown', async () => {
  const system = await start({ RIVULET_ALLOCATOR_VERDICT_MS_MAX: '100' });
  system.fold.pause();
  const { streamNo } = await open(system);
  expect(await codeOf(retry(system, streamNo, 'second', 1))).toBe('RETRY_PENDING');
  expect(await system.allocator.cancel({ streamNo, by: 'ops', reason: 'enough' })).toMatchObject({ streamNo, status: 'PENDING' });
  system.fold.resume();
  await eventually(async () => expect(await codeOf(retry(system, streamNo, 'second', 1))).toBe('STREAM_FINAL'));
});

test('[APPEND-1] [APPEND-4] a cancel answers with the verdict, and again the same for the same reason', async () => {
  const system = await start();
  const { streamNo } = await open(system);
  const cancel = (reason: string) => system.allocator.cancel({ streamNo, by: 'ops', reason });
  expect(await cancel('enough')).toMatchObject({ streamNo, status: 'cancelled', sequence: 0, bytes: 0 });
  expect(await cancel('enough')).toMatchObject({ status: 'cancelled' });
  expect(await codeOf(cancel('another'))).toBe('STREAM_FINAL');
  expect(await codeOf(retry(system, streamNo, 'late'))).toBe('STREAM_FINAL');
  expect(await recordsOf(system, 'cancel')).toHaveLength(1);
});

test.each([
  ['half a pair: \ud83c', 'half a pair: \ufffd'], [`${'x'.repeat(511)}🌊`, 'x'.repeat(511)], [`${'x'.repeat(510)}🌊y`, `${'x'.repeat(510)}🌊`],
])('[APPEND-4] a cancel that worked is answered as one, whatever its reason is made of: %#', async (reason, kept) => {
  const system = await start();
  const { streamNo } = await open(system);
  for (let time = 0; time < 2; time += 1) {
    expect(await system.allocator.cancel({ streamNo, by: 'ops', reason })).toMatchObject({ status: 'cancelled' });
  }
  expect((await system.list.one(streamNo)).final).toMatchObject({ reason: kept });
});

test('[APPEND-1] a cancel whose verdict is not known in time is PENDING, not an error', async () => {
  const system = await start({ RIVULET_ALLOCATOR_VERDICT_MS_MAX: '100' });
  const { streamNo } = await open(system);
  await eventually(() => retry(system, streamNo, 'second', 1));
  system.fold.pause();
  expect((await system.allocator.cancel({ streamNo, by: 'ops', reason: '' })).status).toBe('PENDING');
});

test('[APPEND-5] Kafka away is LOG_UNAVAILABLE within the bound, and no stream is open then', async () => {
  const system = await start({ RIVULET_ALLOCATOR_WRITE_MS_MAX: '500' });
  system.log.faults.isAway = true;
  expect(await codeOf(open(system))).toBe('LOG_UNAVAILABLE');
  system.log.faults.isAway = false;
});

test('the list is newest first, filtered, and pages do not overlap', async () => {
  const clock = { now: 1_000_000 };
  const system = await start({}, clock);
  const all: string[] = [];
  for (let i = 0; i < 7; i += 1) {
    clock.now += 1;
    all.unshift((await open(system, { channel: i % 2 ? 'odd' : 'even', class: i === 6 ? 'bulk' : 'interactive' })).streamNo);
  }
  await Promise.all(all.map((no) => retry(system, no, 'wait-until-known')));
  await system.allocator.cancel({ streamNo: all[0]!, by: 'ops', reason: '' });
  const nos = (query: Record<string, string>) => system.list.page(query).streams.map(({ streamNo }) => streamNo);
  expect(nos({})).toEqual(all);
  expect(nos({ channel: 'odd' })).toEqual(all.filter((_, i) => i % 2 === 1));
  expect(nos({ class: 'bulk' })).toEqual([all[0]]);
  expect(nos({ status: 'cancelled' })).toEqual([all[0]]);
  expect(nos({ status: 'open,cancelled' })).toEqual(all);
  const pages: string[] = [];
  let cursor: string | null = null;
  do {
    const page: ReturnType<typeof system.list.page> = system.list.page({ limit: '3', ...(cursor === null ? {} : { cursor }) });
    pages.push(...page.streams.map(({ streamNo }) => streamNo));
    cursor = page.next;
  } while (cursor !== null);
  expect(pages).toEqual(all);
});

test.each([
  [{ status: 'alive' }, 'OPTIONS_INVALID'], [{ limit: '0' }, 'OPTIONS_INVALID'], [{ class: 'x' }, 'OPTIONS_INVALID'],
  [{ chanel: 'x' }, 'OPTIONS_INVALID'], [{ cursor: 'zzz' }, 'CURSOR_INVALID'],
] as [Record<string, string>, ErrorCode][])('a filter that cannot be read is refused: %j', async (query, code) => {
  const system = await start();
  expect(await codeOf((async () => system.list.page(query))())).toBe(code);
});

test('final streams beyond endedStreamsMax leave the list and memory, and are still found by streamNo', async () => {
  const system = await start({ RIVULET_ALLOCATOR_ENDED_STREAMS_MAX: '2' });
  const opened: string[] = [];
  for (let i = 0; i < 5; i += 1) {
    const { streamNo } = await open(system, { metadata: { i } });
    await system.allocator.cancel({ streamNo, by: 'ops', reason: `r${i}` });
    opened.push(streamNo);
  }
  expect(system.list.page({}).streams).toHaveLength(2);
  const old = await system.list.one(opened[0]!);
  expect(old).toMatchObject({ streamNo: opened[0], status: 'cancelled', metadata: { i: 0 }, final: { reason: 'r0' }, positions: 0 });
  expect(old.verdicts.some(({ kind, outcome }) => kind === 'cancel' && outcome === 'accepted')).toBe(true);
  expect(await codeOf(retry(system, opened[0]!, 'late'))).toBe('STREAM_FINAL');
});

test('[OWN-2] a lower version never replaces a higher one, and final stays final', async () => {
  const system = await start();
  const { streamNo } = await open(system);
  await system.allocator.cancel({ streamNo, by: 'ops', reason: '' });
  const { partition, lifecycleOffset, ...shown } = await system.list.one(streamNo);
  const appender = system.log.appender<Buffer>({
    topic: names.lifecycle, class: 'control', encode: (values) => values.map((value) => ({ key: streamNo, value, entries: 1 })),
    queueBytesMax: 1e6, batchBytesMax: 1e5, batchEntriesMax: 10, deadlineMs: 1_000,
  });
  const { records } = await system.log.scan(names.lifecycle, partition, lifecycleOffset);
  const value = JSON.parse(String(records[0]!.value)) as Record<string, unknown>;
  for (const version of [[0, 0, 1], [9, 9_999, 1]]) {
    const loser = Buffer.from(JSON.stringify({ ...value, version, status: 'open', final: null }));
    await appender.append(partition, loser, loser.length);
  }
  const later = await open(system, {});
  await retry(system, later.streamNo, 'wait');
  expect((await system.list.one(streamNo)).status).toBe(shown.status);
});
