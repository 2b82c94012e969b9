import { OWNER_KEY } from '@rivulet/protocol';
import type { OwnerValue } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { OwnerCluster } from '../../../test/support/owner-cluster';
import { append, open } from '../../../test/support/records';

let cluster: OwnerCluster;
beforeEach(async () => (cluster = await OwnerCluster.start()));
afterEach(() => cluster.stop());

const replayBytesMax = 200_000;
const replayFrom = async (): Promise<number> => {
  const owners = (await cluster.records(cluster.topics.lifecycle)).filter(({ key }) => key === OWNER_KEY);
  return (JSON.parse(String(owners.at(-1)!.value)) as OwnerValue).replayFrom;
};

test('[OWN-3] replay stays under replayBytesMax while streams go on for ever, and costs few lifecycle writes', async () => {
  const owner = await cluster.own('owner', { replayBytesMax });
  const streams = Array.from({ length: 20 }, () => cluster.streamNo());
  for (const streamNo of streams) await cluster.write(streamNo, open());
  let most = 0;
  const text = 'x'.repeat(1_000);
  for (let sequence = 1; sequence <= 100; sequence += 1) {
    await Promise.all(streams.map((streamNo) => cluster.write(streamNo, append(sequence, text))));
    await cluster.settled(owner);
    most = Math.max(most, owner.owners.replayBytes);
  }
  expect(most).toBeLessThan(replayBytesMax);
  expect(most).toBeGreaterThan(replayBytesMax / 4);
  // 2 MB went through: a checkpoint of each stream for about every 50 kB of the partition.
  expect(owner.counts.flushed).toBeLessThan(20 * 100 / 2);
  await owner.crash();
  const next = await cluster.own('next', { replayBytesMax });
  expect(next.counts.accepted).toBeLessThan(replayBytesMax / 1_000);
  expect((await next.open(streams[0]!)).state.next).toBe(101);
});

test('[OWN-3] replayFrom advances only after lifecycle is acknowledged', async () => {
  const owner = await cluster.own('owner', { replayBytesMax: 1_000, ownerMsMax: 1 });
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  await cluster.settled(owner);
  const before = await replayFrom();
  // Reads go on, and writes land, but no answer comes: whether lifecycle has them cannot be known.
  owner.log.faults.lostAnswers = Infinity;
  await cluster.write(streamNo, ...Array.from({ length: 20 }, (_, index) => append(index + 1, 'y'.repeat(200))));
  await cluster.settled(owner);
  await cluster.pass(1_000);
  expect((await owner.open(streamNo)).state.next).toBe(21);
  expect(await replayFrom()).toBe(before);
  owner.log.faults.lostAnswers = 0;
  await eventually(async () => {
    await cluster.pass(100);
    expect(await replayFrom()).toBeGreaterThan(before);
  });
});

test('[OWN-3] a stream whose replay would start long ago is checkpointed although few bytes came since', async () => {
  const owner = await cluster.own('owner', { checkpointAgeMsMax: 10_000, ownerMsMax: 1_000 });
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open({}, { leaseMs: 600_000 }));
  const offset = await cluster.write(streamNo, append(1, 'a little'));
  await cluster.settled(owner);
  await cluster.pass(8_000);
  expect(await replayFrom()).toBeLessThanOrEqual(offset);
  await cluster.pass(5_000);
  expect(await replayFrom()).toBe(offset + 1);
});

test('[OWN-3] a beat does not hold replayFrom back', async () => {
  const owner = await cluster.own('owner', { ownerMsMax: 1_000 });
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open({}, { leaseMs: 600_000 }));
  await cluster.settled(owner);
  const offset = await cluster.write('#beat', { kind: 'beat', streams: [{ no: streamNo, epoch: 1 }] });
  await cluster.settled(owner);
  await cluster.pass(2_000);
  expect(await replayFrom()).toBe(offset + 1);
});
