import { encodeLifecycle, OWNER_KEY } from '@rivulet/protocol';
import type { StreamState } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { OwnerCluster, PARTITION } from '../../../test/support/owner-cluster';
import type { Instance } from '../../../test/support/owner-cluster';
import { append, cancel, end, open } from '../../../test/support/records';
import type { StreamEntry } from './stream-source';

let cluster: OwnerCluster;
beforeEach(async () => (cluster = await OwnerCluster.start()));
afterEach(() => cluster.stop());

const textOf = ({ view }: StreamEntry): string =>
  (view.read(1, { bytesMax: 1e6, last: 1e6, isExact: false }) ?? []).map((run) => Buffer.concat(run.parts).toString()).join('');
const content = ({ activityOffset: _activity, ...state }: StreamState): object => state;

/** An owner and, beside it, an instance that owns nothing. */
async function pair(): Promise<{ owner: Instance; other: Instance }> {
  return { owner: await cluster.own('owner'), other: cluster.join('other', { followIdleMs: 1_000 }) };
}

test('[OWN-8] an instance serves streams of a partition that another one owns, from lifecycle and the log alone, and publishes nothing', async () => {
  const { owner, other } = await pair();
  const [checkpointed, fresh, over] = [cluster.streamNo(), cluster.streamNo(), cluster.streamNo()];
  await cluster.write(checkpointed, open(), append(1, 'a'), append(3, 'c'));
  await cluster.write(over, open(), append(1, 'x'), end(1));
  await cluster.settled(owner);
  await owner.owners.handOver();
  await cluster.write(fresh, open(), append(1, ['1', '2']));
  const published = (await cluster.records(cluster.topics.lifecycle)).length;

  const entries = await Promise.all([checkpointed, fresh, over].map((streamNo) => other.replicas.open(streamNo)));
  await cluster.write(checkpointed, append(2, 'b'));
  await cluster.write(fresh, append(3, '3'));
  await other.replicas.caughtUp(PARTITION);
  const { states } = await cluster.wholeFold();
  for (const entry of entries.slice(0, 2)) expect(content(entry.state)).toEqual(content(states.get(entry.streamNo)!));
  expect(textOf(entries[1]!)).toBe('123');
  expect(entries[0]!.state).toMatchObject({ next: 4, status: 'open' });
  expect(entries[2]!.state).toMatchObject({ status: 'ended', next: 2 });
  expect(other.counts).toMatchObject({ accepted: 0, flushed: 0, deadLetters: {} });
  const records = await cluster.records(cluster.topics.lifecycle);
  expect(records.slice(published).every(({ key }) => key === fresh)).toBe(true); // the owner's
  expect(records.filter(({ key, value }) => key === OWNER_KEY && String(value).includes('"other"'))).toEqual([]);
});

test('[OWN-8] what is opened after it began is found too; what was never opened is not', async () => {
  const { other } = await pair();
  const [first, second] = [cluster.streamNo(), cluster.streamNo()];
  await cluster.write(first, open());
  await other.replicas.open(first);
  await cluster.write(second, open(), append(1, 'now'));
  expect(textOf(await other.replicas.open(second))).toBe('now');
  await expect(other.replicas.open(cluster.streamNo())).rejects.toMatchObject({ code: 'STREAM_NOT_FOUND' });
});

test('an owner that dies is no concern of a follower: its readers get what is written meanwhile', async () => {
  const { owner, other } = await pair();
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(1, 'a'));
  const entry = await other.replicas.open(streamNo);
  await owner.crash();
  await cluster.write(streamNo, append(2, 'b'), end(2));
  await other.replicas.caughtUp(PARTITION);
  expect(entry.isOrphaned).toBe(false);
  expect(textOf(entry)).toBe('ab');
  expect(entry.state.final).toMatchObject({ status: 'ended', sequence: 2 });
});

test('an ended stream leaves a follower\'s memory once lifecycle has it, is read back when asked for, and is gone when removed', async () => {
  const { owner, other } = await pair();
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open({}, { retentionMs: 60_000, channel: 'c' }));
  const entry = await other.replicas.open(streamNo);
  const { streams, stop } = await other.replicas.channel('c');
  expect(streams()).toEqual([{ streamNo, partition: PARTITION, openedOffset: 0, isEnded: false }]);
  stop();
  await cluster.write(streamNo, append(1, 'text'), end(1));
  await cluster.settled(owner);
  await other.replicas.caughtUp(PARTITION);
  other.replicas.release(entry);
  const again = await eventually(async () => {
    const read = await other.replicas.open(streamNo);
    if (read === entry) other.replicas.release(read);
    expect(read).not.toBe(entry);
    return read;
  });
  expect(again.state).toMatchObject({ status: 'ended', bytes: 4 });
  other.replicas.release(again);
  await cluster.pass(63_000, 1_000);
  await eventually(async () => {
    await cluster.pass(500);
    await expect(other.replicas.open(streamNo)).rejects.toMatchObject({ code: expect.stringMatching(/STREAM_(GONE|NOT_FOUND)/) });
  });
  expect(other.channels.streams('c')).toEqual([]);
});

test('[OWN-5] an end that is no record, since its owner found the records gone, reaches the readers of a follower', async () => {
  const { owner, other } = await pair();
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(1, 'a'));
  const entry = await other.replicas.open(streamNo);
  let calls = 0;
  entry.onChange(() => (calls += 1));
  await cluster.settled(owner);
  const value = (await cluster.table()).get(streamNo)!;
  const [claim, offset, n] = value.version;
  const final = {
    status: 'failed' as const, reason: 'LOG_LOST', message: '', epoch: 1, sequence: 1, bytes: 1, checksum: 0, digest: '', metadata: {}, at: value.updatedAt, offset,
  };
  await cluster.writeLifecycle(streamNo, encodeLifecycle({ ...value, version: [claim, offset, n + 1], status: 'failed', final, checkpoint: undefined }));
  await eventually(() => expect(entry.state.final).toMatchObject({ reason: 'LOG_LOST' }));
  expect(calls).toBe(1);
});

test('a follower nobody reads is given up after a while, and begun again when somebody comes', async () => {
  const { other } = await pair();
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  const entry = await other.replicas.open(streamNo);
  await cluster.pass(3_000);
  expect(entry.isOrphaned).toBe(false);
  other.replicas.release(entry);
  await cluster.pass(500);
  expect(entry.isOrphaned).toBe(false);
  await cluster.pass(1_500);
  expect(entry.isOrphaned).toBe(true);
  expect(await other.replicas.open(streamNo)).not.toBe(entry);
});

test('[OWN-9] when the group gives the partition to an instance that follows it, the owner takes the follower\'s place, and back', async () => {
  const { owner, other } = await pair();
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open({}, { channel: 'c' }), append(1, 'a'));
  const followed = await other.replicas.open(streamNo);
  const told: string[] = [];
  const handle = await other.replicas.channel('c');
  handle.follow((streams) => told.push(...streams.map((one) => one.streamNo)));
  expect(handle.streams()).toMatchObject([{ streamNo }]);
  owner.revoke();
  await other.take();
  expect(followed.isOrphaned).toBe(true);
  const owned = await other.replicas.open(streamNo);
  expect(owned).toBe(await other.open(streamNo));
  other.revoke();
  expect(owned.isOrphaned).toBe(true);
  expect(textOf(await other.replicas.open(streamNo))).toBe('a');
  // The channel is followed through all of it: what is known is told again at most, what is new once it is there.
  const second = cluster.streamNo();
  await cluster.write(second, open({}, { channel: 'c' }), cancel());
  await eventually(() => expect(told).toContain(second));
  expect(new Set(told)).toEqual(new Set([streamNo, second]));
  handle.stop();
});

test('[WATCH-12] a stream that came and ended while nobody here folded its partition is told to those who follow its channel', async () => {
  const { owner, other } = await pair();
  const told: string[] = [];
  const handle = await other.replicas.channel('c');
  handle.follow((streams) => told.push(...streams.map(({ streamNo }) => streamNo)));
  owner.revoke();
  await other.take();
  other.log.faults.isAway = true;
  other.revoke();
  await owner.take();
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open({}, { channel: 'c' }), append(1, 'unseen'), end(1));
  await cluster.settled(owner);
  expect(owner.owners.finishedStreams).toBe(1);
  other.log.faults.isAway = false;
  await eventually(async () => {
    await cluster.pass(500);
    expect(told).toEqual([streamNo]);
  });
  expect(handle.streams()).toMatchObject([{ streamNo, isEnded: true }]);
  handle.stop();
});
