import { MemoryLog, topicSpecs } from '@rivulet/log';
import { StreamError, topicNames } from '@rivulet/protocol';
import type { OpenedStream } from '@rivulet/protocol';
import { buildFrame } from '@rivulet/service';
import type { Frame } from '@rivulet/service';
import { eventually } from '../../../test/support/eventually';
import { FoldOwner } from '../../../test/support/fold-owner';
import { open as openRecord } from '../../../test/support/records';
import { buildAllocator } from './build-allocator';
import type { BuiltAllocator } from './build-allocator';
import { readAllocatorConfig } from './config';
import { RecordWriter } from './record-writer';

const KEY = '0123456789abcdef'.repeat(4);
const names = topicNames('rivulet');

interface Instance extends BuiltAllocator { frame: Frame }
let log: MemoryLog;
let owner: FoldOwner;
let instances: Instance[] = [];

beforeEach(async () => {
  log = new MemoryLog();
  await log.createTopics(topicSpecs(names, { interactive: 4, bulk: 2, replication: 1, minInsync: 1 }));
  owner = new FoldOwner(log, names, 6);
});
afterEach(async () => {
  log.faults.isAway = false;
  await owner.close();
  await Promise.all(instances.map(({ frame }) => frame.drain.run()));
  instances = [];
  await log.close();
});

/** One more allocator on the same log. */
async function start(quotas: string, env: Record<string, string> = {}): Promise<Instance> {
  const config = readAllocatorConfig({
    RIVULET_LOG: 'memory', RIVULET_LOG_LEVEL: 'silent', RIVULET_STREAM_NO_KEYS: KEY, RIVULET_TOKEN_KEYS: KEY,
    RIVULET_PARTITIONS_INTERACTIVE: '4', RIVULET_PARTITIONS_BULK: '2', RIVULET_API_KEYS: `app:producer:${KEY},ops:operator:${KEY}`,
    RIVULET_QUOTAS: quotas, ...env,
  });
  const frame = buildFrame('allocator', config);
  const instance = { ...buildAllocator(frame, log, config), frame };
  instances.push(instance);
  await instance.ready;
  return instance;
}

const open = ({ allocator }: Instance, principal = 'app', idempotencyKey?: string): Promise<OpenedStream> =>
  allocator.open({ principal, options: {}, idempotencyKey });
const outcome = (opening: Promise<unknown>): Promise<unknown> =>
  opening.then(() => 'opened', (error: unknown) => (error instanceof StreamError ? error.details['quota'] ?? error.code : error));

/** Open streams of the key as the metric shows them. */
async function counted({ frame }: Instance, key: string): Promise<number> {
  const text = await frame.metrics.registry.getSingleMetricAsString('rivulet_quota_open_streams');
  return Number(new RegExp(`key="${key}".* (\\d+)$`, 'm').exec(text)?.[1]);
}

test('[APPEND-13] a burst on one allocator stops at the quota, before lifecycle shows any of it; other keys are not concerned', async () => {
  const one = await start('app:openStreams=5');
  owner.pause();
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(open(one))));
  expect(outcomes.filter((one) => one === 'opened')).toHaveLength(5);
  expect(outcomes.filter((one) => one === 'openStreams')).toHaveLength(15);
  expect(await outcome(open(one, 'ops'))).toBe('opened');
  owner.resume();
  await eventually(() => expect(owner.streams.size).toBe(6));
  expect(await counted(one, 'app')).toBe(5);
});

test('[APPEND-13] open streams are counted from the log: on every allocator, after a restart, and no longer when they end', async () => {
  const one = await start('app:openStreams=3');
  const opened = [await open(one), await open(one), await open(one)];
  const two = await start('app:openStreams=3');
  await eventually(async () => expect(await counted(two, 'app')).toBe(3));
  expect(await outcome(open(two))).toBe('openStreams');
  await one.allocator.cancel({ streamNo: opened[0]!.streamNo, by: 'ops', reason: '' });
  await eventually(async () => expect(await counted(two, 'app')).toBe(2));
  expect(await outcome(open(two))).toBe('opened');
  expect(await outcome(open(two))).toBe('openStreams');
  await eventually(async () => expect(await counted(one, 'app')).toBe(3));
});

test('[APPEND-13] a repeated idempotent open takes no second place, and is answered although the quota is used up', async () => {
  const one = await start('app:openStreams=1');
  owner.pause();
  const first = await open(one, 'app', 'key-1');
  expect((await open(one, 'app', 'key-1')).streamNo).toBe(first.streamNo);
  owner.resume();
  await eventually(async () => expect(owner.streams.size).toBe(1));
  expect((await open(one, 'app', 'key-1')).streamNo).toBe(first.streamNo);
  expect(await outcome(open(one, 'app', 'key-2'))).toBe('openStreams');
});

test('[APPEND-13] an open that could not be written gives its place back', async () => {
  const one = await start('app:openStreams=1', { RIVULET_ALLOCATOR_WRITE_MS_MAX: '500' });
  log.faults.isAway = true;
  expect(await outcome(open(one))).toBe('LOG_UNAVAILABLE');
  expect(await counted(one, 'app')).toBe(0);
  log.faults.isAway = false;
  expect(await outcome(open(one))).toBe('opened');
});

test('[APPEND-13] opens per second are refused with the time to wait, and count nothing', async () => {
  const one = await start('*:opensPerSecond=2,openStreams=100');
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => outcome(open(one))));
  expect(outcomes.filter((one) => one === 'opened').length).toBeGreaterThanOrEqual(2);
  expect(outcomes).toContain('opensPerSecond');
  expect(await counted(one, 'app')).toBe(outcomes.filter((one) => one === 'opened').length);
});

test('[APPEND-13] the open record and the write token name the key', async () => {
  const one = await start('app:openStreams=1');
  const { streamNo, writeToken } = await open(one);
  const record = await eventually(() => {
    const found = owner.records.find(({ key }) => key === streamNo);
    if (!found) throw new Error('not folded yet');
    return found.record;
  });
  expect(record).toMatchObject({ kind: 'open', openedBy: 'app' });
  expect((await one.frame.auth.authenticate({ authorization: `Bearer ${writeToken}` })).claims).toMatchObject({ by: 'app' });
  await eventually(async () => expect(await one.list.one(streamNo)).toMatchObject({ openedBy: 'app' }));
});

test('[APPEND-13] a stream from before quotas counts for nobody, and its tokens name nobody', async () => {
  const one = await start('app:openStreams=1;*:openStreams=0');
  const streamNo = one.frame.streamNos.issue({ time: Date.now(), partition: 0 });
  const writer = new RecordWriter(log, names.fragments, { queueBytesMax: 65_536, writeMsMax: 5_000 });
  await writer.write(streamNo, 0, openRecord());
  const old = await eventually(async () => one.list.one(streamNo));
  expect(old).toMatchObject({ status: 'open', openedBy: '' });
  const { writeToken } = await one.allocator.retry({ streamNo, epoch: 0, attemptId: 'a', keep: 'all', reason: '' });
  expect((await one.frame.auth.authenticate({ authorization: `Bearer ${writeToken}` })).claims).not.toHaveProperty('by');
  expect(await outcome(open(one))).toBe('opened');
  await writer.close();
});
