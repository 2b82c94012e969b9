import { encodeOwner, OWNER_KEY } from '@rivulet/protocol';
import { MemoryLog } from '@rivulet/log';
import { eventually } from '../../../test/support/eventually';
import { OwnerCluster, PARTITION } from '../../../test/support/owner-cluster';
import { append, cancel, end, open } from '../../../test/support/records';

let cluster: OwnerCluster;
beforeEach(async () => (cluster = await OwnerCluster.start()));
afterEach(() => cluster.stop());

const claims = async (): Promise<string[]> =>
  (await cluster.records(cluster.topics.lifecycle)).filter(({ key }) => key === OWNER_KEY)
    .map(({ value }) => JSON.parse(String(value)) as { version: number[]; instance: string })
    .filter(({ version }) => version[0] === -1).map(({ instance }) => instance);

test('[OWN-2] of two owners at once the one with the lower claim stops when it sees the higher', async () => {
  const older = await cluster.own('older');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  const entry = await older.open(streamNo);
  const newer = await cluster.own('newer');
  await eventually(() => expect(entry.isOrphaned).toBe(true));
  await expect(older.open(streamNo)).rejects.toMatchObject({ code: 'NOT_OWNER' });
  await cluster.write(streamNo, append(1, 'x'), end(1));
  await cluster.settled(newer);
  expect((await cluster.table()).get(streamNo)).toMatchObject({ status: 'ended', bytes: 1 });
  expect(await claims()).toEqual(['older', 'newer']);
});

test('[OWN-2] a fenced owner whose heartbeat says the partition is its own claims it again, from the beginning', async () => {
  const owner = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(1, 'abc'));
  await cluster.settled(owner);
  // Somebody claimed and vanished; the group never said so.
  await cluster.writeLifecycle(OWNER_KEY, encodeOwner({ version: [-1, 0, 0], instance: 'ghost', address: 'http://ghost', replayFrom: 0, logId: '' }));
  await eventually(async () => {
    await cluster.pass(300);
    expect(await claims()).toEqual(['owner', 'ghost', 'owner']);
    expect(owner.owners.ownedPartitions).toBe(1);
  });
  expect((await owner.open(streamNo)).state).toMatchObject({ status: 'open', bytes: 3 });
});

test('[OWN-2] what a zombie writes later loses everywhere, and the owner writes its own over it', async () => {
  const owner = await cluster.own('owner');
  const [open1, ended, ofTheLast] = [cluster.streamNo(), cluster.streamNo(), cluster.streamNo()];
  await cluster.write(open1, open());
  await cluster.write(ended, open(), cancel());
  await cluster.write(ofTheLast, open());
  await cluster.settled(owner);
  const before = await cluster.table();
  const stale = [open1, ended].map((streamNo) => ({ ...before.get(streamNo)!, version: [-5, 9_999, 0] as const, status: 'open' as const, final: null }));
  for (const value of stale) await cluster.writeLifecycle(value.streamNo, Buffer.from(JSON.stringify(value)));
  await cluster.writeLifecycle(OWNER_KEY, encodeOwner({ version: [-3, 9_999, 0], instance: 'zombie', address: '', replayFrom: 9_999, logId: '' }));
  await cluster.writeLifecycle(ofTheLast, null);
  await eventually(async () => {
    // The last record of each key is what compaction keeps: it has to be the owner's.
    const records = await cluster.records(cluster.topics.lifecycle);
    const last = new Map(records.map(({ key, value }) => [key, JSON.parse(String(value)) as unknown]));
    expect(last.get(open1)).toMatchObject({ status: 'open', version: [0, expect.any(Number), expect.any(Number)] });
    expect(last.get(ended)).toMatchObject({ status: 'cancelled', version: [0, expect.any(Number), expect.any(Number)] });
    expect(last.get(ofTheLast)).toMatchObject({ status: 'open' });
    expect(last.get(OWNER_KEY)).toMatchObject({ instance: 'owner', version: [0, expect.any(Number), expect.any(Number)] });
  });
  expect((await cluster.table()).get(ended)!.status).toBe('cancelled');
});

test('[OWN-2] a new owner believes the maximum version, not the last write, and keeps a final status', async () => {
  const first = await cluster.own('first');
  const [streamNo, ended] = [cluster.streamNo(), cluster.streamNo()];
  await cluster.write(streamNo, open(), append(1, 'right'));
  await cluster.write(ended, open(), cancel());
  await cluster.settled(first);
  await first.owners.handOver();
  const table = await cluster.table();
  await first.crash();
  const zombie = (value: object): Buffer => Buffer.from(JSON.stringify({ ...value, version: [-5, 0, 0] }));
  await cluster.writeLifecycle(streamNo, zombie({ ...table.get(streamNo)!, checkpoint: { offset: 0, state: 'broken' }, bytes: 999 }));
  await cluster.writeLifecycle(ended, Buffer.from(JSON.stringify({ ...table.get(ended)!, version: [0, 9_999, 0], status: 'open', final: null })));
  const second = await cluster.own('second');
  expect((await second.open(streamNo)).state).toMatchObject({ status: 'open', bytes: 5 });
  expect((await second.open(ended)).state).toMatchObject({ status: 'cancelled' });
});

test('[OWN-2] an owner revoked before its claim does not write it: it would stop the one that follows', async () => {
  const owner = await cluster.own('owner');
  const beaten = owner.owners.assigned(PARTITION);
  owner.owners.revoked(PARTITION);
  await expect(beaten).rejects.toMatchObject({ code: 'NOT_OWNER' });
  expect(await claims()).toEqual(['owner']);
});

test('[OWN-3] a hand-over leaves nothing to replay; [OWN-2] it is used by the next owner', async () => {
  const first = await cluster.own('first');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(1, ['a', 'b', 'c']));
  await cluster.settled(first);
  expect(first.owners.replayBytes).toBeGreaterThan(0);
  await first.owners.handOver();
  expect(first.owners.replayBytes).toBe(0);
  await first.crash();
  const second = await cluster.own('second');
  expect(second.counts.accepted).toBe(0);
  expect((await second.open(streamNo)).state).toMatchObject({ next: 4, bytes: 3 });
  second.owners.revoked(PARTITION);
  expect(second.owners.ownedPartitions).toBe(0);
});

test('[OWN-2] the group is left before the owners stop', async () => {
  const { owners } = await cluster.own('owner');
  const owned: number[] = [];
  const leave = async (): Promise<void> => void owned.push(owners.ownedPartitions);
  owners.start({ isJoined: () => true, assigned: () => [PARTITION], heartbeatAt: () => 0, restart: () => undefined, leave });
  await owners.leave();
  expect([...owned, owners.ownedPartitions]).toEqual([1, 0]);
});

test('an instance is ready once it serves what it was first given, and stays so while partitions move', async () => {
  const { owners } = cluster.join('instance');
  expect(owners.whyNotReady()).toMatch(/not caught up yet: 0/);
  await owners.assigned(PARTITION);
  expect(owners.whyNotReady()).toBeNull();
  owners.revoked(PARTITION);
  expect(owners.whyNotReady()).toBeNull();
});

test('[OWN-2] an owner that reads a higher claim removes nothing for what it reads behind it', async () => {
  const owner = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(1, 'kept'));
  await cluster.settled(owner);
  const known = (await cluster.table()).get(streamNo)!;
  const ghost = encodeOwner({ version: [-1, 0, 0], instance: 'ghost', address: 'http://ghost', replayFrom: 0, logId: '' });
  // One batch: the claim that fences it, and then what a zombie of before wrote.
  await Promise.all([
    cluster.writeLifecycle(OWNER_KEY, ghost),
    cluster.writeLifecycle(streamNo, Buffer.from(JSON.stringify({ ...known, version: [-5, 0, 0] }))),
  ]);
  await eventually(() => expect(cluster.logged.map(({ text }) => text)).toContain('another owner has a higher claim: stopping'));
  await cluster.settled(await cluster.own('next'));
  const values = (await cluster.records(cluster.topics.lifecycle)).filter(({ key }) => key === streamNo);
  expect(values.filter(({ value }) => value === null)).toEqual([]);
  expect((await cluster.table()).get(streamNo)).toMatchObject({ status: 'open' });
});

test('[OWN-3] an owner revoked in the middle of a batch publishes no replayFrom for what it did not fold', async () => {
  const first = await cluster.own('first', { replayBytesMax: 100, ownerMsMax: 1 });
  const [ended, running] = [cluster.streamNo(), cluster.streamNo()];
  await cluster.write(ended, open(), cancel());
  await cluster.write(running, open());
  await cluster.settled(first);
  await first.owners.handOver();
  const { scan } = MemoryLog.prototype;
  const spy = jest.spyOn(MemoryLog.prototype, 'scan').mockImplementation(async function (this: MemoryLog, topic, partition, from, options) {
    const batch = await scan.call(this, topic, partition, from, options);
    return topic === cluster.topics.lifecycle ? { ...batch, records: [], nextOffset: from } : batch;
  });
  // The second cancel needs the ended stream, which the log does not show now: the fold waits, and the append waits behind it.
  await Promise.all([cluster.write(ended, cancel()), cluster.write(running, append(1, 'kept'))]);
  await eventually(() => expect(cluster.logged.map(({ text }) => text)).toContain('the lifecycle value of a stream cannot be read now'));
  first.owners.revoked(PARTITION);
  spy.mockRestore();
  await cluster.pass(500);
  const second = await cluster.own('second');
  expect((await second.open(running)).state).toMatchObject({ next: 2, bytes: 4 });
});
