import { encodeLifecycle, encodeOwner, OWNER_KEY } from '@rivulet/protocol';
import type { LifecycleValue, OwnerValue } from '@rivulet/protocol';
import { MemoryLog } from '@rivulet/log';
import { OwnerCluster, PARTITION } from '../../../test/support/owner-cluster';
import { append, end, open } from '../../../test/support/records';
import { formatLogId, parseLogId } from './takeover-checks';

const { scan: read } = MemoryLog.prototype;
let cluster: OwnerCluster;
beforeEach(async () => (cluster = await OwnerCluster.start()));
afterEach(() => cluster.stop());

const loud = (): string[] => cluster.logged.map(({ text }) => text);
const finalOf = async (streamNo: string): Promise<unknown> => (await cluster.table()).get(streamNo)?.final;

const put = (value: LifecycleValue): Promise<number> => cluster.writeLifecycle(value.streamNo, Buffer.from(encodeLifecycle(value)));

/** The `#owner` value as the next owner finds it, changed. */
async function changeOwner(change: Partial<OwnerValue>): Promise<void> {
  const owners = (await cluster.records(cluster.topics.lifecycle)).filter(({ key }) => key === OWNER_KEY);
  const value = JSON.parse(String(owners.at(-1)!.value)) as OwnerValue;
  const [claim, offset, n] = value.version;
  await cluster.writeLifecycle(OWNER_KEY, encodeOwner({ ...value, version: [Math.max(0, claim), offset + 1, n], ...change }));
}

test('a log id names the cluster and one record of the log', () => {
  const reference = { clusterId: 'a:b', offset: 7, timestamp: 99 };
  expect(parseLogId(formatLogId(reference))).toEqual(reference);
  expect(parseLogId(formatLogId({ ...reference, offset: -1 }))).toMatchObject({ clusterId: 'a:b', offset: -1 });
  expect(parseLogId('')).toBeNull();
});

test('[OWN-5] a log that starts after the replay of a stream: that stream fails LOG_LOST, loudly, and the rest goes on', async () => {
  const first = await cluster.own('first');
  const [lost, safe, ended] = [cluster.streamNo(), cluster.streamNo(), cluster.streamNo()];
  await cluster.write(lost, open());
  await cluster.write(ended, open(), append(1, 'e'), end(1));
  await cluster.settled(first);
  await cluster.write(lost, append(1, 'gone'));
  await cluster.write(safe, open(), append(1, 'kept'));
  await cluster.settled(first);
  await first.crash();
  cluster.log.truncate(cluster.topics.fragments, PARTITION, 5);
  const second = await cluster.own('second');
  await cluster.settled(second);
  expect(await finalOf(lost)).toMatchObject({ status: 'failed', reason: 'LOG_LOST' });
  expect(loud()).toContain('a stream has failed at a takeover');
  expect(second.counts.endedAtTakeover).toEqual({ LOG_LOST: 1 });
  expect((await second.open(safe)).state).toMatchObject({ status: 'open', bytes: 4 });
  expect((await second.open(ended)).state.status).toBe('ended');
});

test('[OWN-5] a log that ends before a checkpoint: the stream fails LOG_LOST, and stays so for later owners', async () => {
  const first = await cluster.own('first');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(1, 'x'));
  await cluster.settled(first);
  await first.owners.handOver();
  const value = (await cluster.table()).get(streamNo)!;
  await first.crash();
  await put({ ...value, version: [0, 50, 0], checkpoint: { ...value.checkpoint!, offset: 50 } });
  const second = await cluster.own('second');
  await cluster.settled(second);
  expect(await finalOf(streamNo)).toMatchObject({ status: 'failed', reason: 'LOG_LOST' });
  await second.crash();
  // [OWN-2] A final status is sticky, whatever a former owner that knew nothing of it writes with however high a version.
  await put({ ...value, version: [Number.MAX_SAFE_INTEGER, 0, 0] });
  const third = await cluster.own('third');
  expect((await third.open(streamNo)).state.final).toMatchObject({ reason: 'LOG_LOST' });
});

test('[OWN-5] another cluster: open streams fail LOG_LOST, ended ones keep their facts without a place to read from', async () => {
  const first = await cluster.own('first');
  const [running, ended] = [cluster.streamNo(), cluster.streamNo()];
  await cluster.write(running, open(), append(1, 'x'));
  await cluster.write(ended, open(), append(1, 'e'), end(1));
  await cluster.settled(first);
  await first.crash();
  await changeOwner({ logId: 'another-cluster:0:1' });
  const second = await cluster.own('second');
  await cluster.settled(second);
  expect(await finalOf(running)).toMatchObject({ status: 'failed', reason: 'LOG_LOST' });
  const entry = await second.open(ended);
  expect(entry.state).toMatchObject({ status: 'ended', bytes: 1 });
  expect(entry.positions).toEqual([]);
  expect(loud().some((text) => text.startsWith('another log'))).toBe(true);
  // The new log is known by its own records from now on: the next takeover finds nothing wrong.
  const fresh = cluster.streamNo();
  await cluster.write(fresh, open());
  await cluster.settled(second);
  await second.crash();
  const third = await cluster.own('third');
  expect((await third.open(fresh)).state.status).toBe('open');
});

test('[OWN-5] the topic made anew in the same cluster is noticed by the time of the record the last owner knew', async () => {
  const first = await cluster.own('first');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  await cluster.settled(first);
  await first.owners.handOver();
  await first.crash();
  const clusterId = await cluster.log.clusterId();
  await changeOwner({ logId: `${clusterId}:0:12345` });
  const second = await cluster.own('second');
  await cluster.settled(second);
  expect(await finalOf(streamNo)).toMatchObject({ reason: 'LOG_LOST' });
});

test('[OWN-5] a record within the bounds that is not to be seen yet fails no stream: the takeover is tried again', async () => {
  const first = await cluster.own('first', { replayBytesMax: 1 });
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(2, 'b'), append(5, 'e'));
  await cluster.settled(first);
  await first.owners.handOver();
  await first.crash();
  // As after a change of leader: reads end before the record although the bounds include it.
  const scan = jest.spyOn(MemoryLog.prototype, 'scan');
  const { fragments } = cluster.topics;
  // The record the log is known by, and one that held fragments came in.
  for (const hidden of [2, 1]) {
    scan.mockImplementation(async function (this: MemoryLog, topic, partition, from, options) {
      const batch = await read.call(this, topic, partition, from, options);
      return topic === fragments && from === hidden ? { ...batch, records: [], nextOffset: from } : batch;
    });
    await expect(cluster.own('too early')).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  }
  scan.mockRestore();
  const second = await cluster.own('second');
  await cluster.write(streamNo, append(1, 'a'));
  await cluster.settled(second);
  expect((await second.open(streamNo)).state).toMatchObject({ status: 'open', next: 3, bytes: 2 });
});

test('[OWN-5] a log that lost its end: a stream whose opening record is still there lives, one whose is not fails', async () => {
  const first = await cluster.own('first');
  const [there, replaced] = [cluster.streamNo(), cluster.streamNo()];
  await cluster.write(there, open());
  await cluster.write(replaced, open());
  await cluster.settled(first);
  const value = (await cluster.table()).get(replaced)!;
  await first.crash();
  await put({ ...value, version: [0, 9, 0], openedOffset: 0 });
  await changeOwner({ replayFrom: 700, logId: '' });
  const second = await cluster.own('second');
  await cluster.settled(second);
  expect(await finalOf(replaced)).toMatchObject({ reason: 'LOG_LOST' });
  expect((await second.open(there)).state.status).toBe('open');
});

test('[JUDGE-10] a checkpoint that cannot be read fails its stream, never the partition', async () => {
  const first = await cluster.own('first');
  const [broken, fine] = [cluster.streamNo(), cluster.streamNo()];
  await cluster.write(broken, open());
  await cluster.write(fine, open());
  await cluster.settled(first);
  const value = (await cluster.table()).get(broken)!;
  await first.crash();
  await put({ ...value, version: [0, 9, 0], checkpoint: { offset: 0, state: { v: 99 } } });
  const second = await cluster.own('second');
  await cluster.settled(second);
  expect(await finalOf(broken)).toMatchObject({ status: 'failed', reason: 'INTERNAL' });
  expect((await second.open(fine)).state.status).toBe('open');
});

test('[OWN-3] held fragments are read back from their records; when one is gone the stream fails LOG_LOST', async () => {
  const first = await cluster.own('first', { replayBytesMax: 1 });
  const [whole, holed] = [cluster.streamNo(), cluster.streamNo()];
  await cluster.write(holed, open(), append(3, 'C'));
  await cluster.write(whole, open(), append(2, ['b', 'c']), append(5, 'e'));
  await cluster.settled(first);
  await first.owners.handOver();
  await first.crash();
  cluster.log.truncate(cluster.topics.fragments, PARTITION, 2);
  const second = await cluster.own('second');
  await cluster.write(whole, append(1, 'a'), append(4, 'd'));
  await cluster.settled(second);
  expect((await second.open(whole)).state).toMatchObject({ next: 6, bytes: 5, held: [] });
  expect(await finalOf(holed)).toMatchObject({ reason: 'LOG_LOST' });
});
