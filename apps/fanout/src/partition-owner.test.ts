import fc from 'fast-check';
import { BEAT_KEY, equalForCheckpoint, summaryOf } from '@rivulet/protocol';
import type { LifecycleValue, LogRecord } from '@rivulet/protocol';
import { MemoryLog } from '@rivulet/log';
import { arbitraryLog } from '../../../test/support/arbitrary-log';
import { eventually } from '../../../test/support/eventually';
import { OwnerCluster, PARTITION } from '../../../test/support/owner-cluster';
import type { Instance } from '../../../test/support/owner-cluster';
import { append, cancel, end, open, retry } from '../../../test/support/records';

let cluster: OwnerCluster;
beforeEach(async () => (cluster = await OwnerCluster.start()));
afterEach(() => cluster.stop());

/** The instance knows what a fold of the whole log knows, of every stream. */
async function expectWhole(instance: Instance): Promise<void> {
  const { states } = await cluster.wholeFold();
  for (const [streamNo, state] of states) {
    if (state.isDeleted) continue;
    const entry = await instance.open(streamNo);
    // Of an ended stream only when it ended is published: late appends, refused, move the judge's time but cause no write.
    const updatedAt = state.final === null ? state.judgedAt : expect.any(Number);
    expect(summaryOf(streamNo, entry.state)).toEqual({ ...summaryOf(streamNo, state), updatedAt });
    // A final stream comes from its lifecycle value, which has what everyone may know; an open one has all of the judge's state.
    if (state.final === null && !equalForCheckpoint(entry.state, state)) expect(entry.state).toEqual(state);
    instance.release(entry);
  }
}

/** A story of one stream, under a streamNo of this cluster. */
const recordsOf = (story: { record: LogRecord }[], streamNo: string): { key: string; record: LogRecord }[] =>
  story.map(({ record }) => (record.kind === 'beat'
    ? { key: BEAT_KEY, record: { kind: 'beat', streams: record.streams.map(({ epoch }) => ({ no: streamNo, epoch })) } }
    : { key: streamNo, record }));

test('[OWN-2] [OWN-3] after any history and any crashes a new owner knows exactly what the whole log says', async () => {
  const stories = fc.array(arbitraryLog, { minLength: 1, maxLength: 4 });
  const cuts = fc.array(fc.record({ at: fc.nat({ max: 200 }), isSettled: fc.boolean() }), { maxLength: 4 });
  await fc.assert(fc.asyncProperty(stories, cuts, fc.infiniteStream(fc.nat({ max: 3 })), async (told, crashes, turns) => {
    await cluster.stop();
    cluster = await OwnerCluster.start();
    const lines = told.map((story) => recordsOf(story, cluster.streamNo()));
    let instance = await cluster.own('first', { replayBytesMax: 400 });
    for (let written = 0; lines.some((line) => line.length > 0); written += 1) {
      const line = lines[turns.next().value! % lines.length]!;
      const next = line.shift() ?? lines.find((other) => other.length > 0)!.shift()!;
      cluster.time.advance(7);
      await cluster.write(next.key, next.record);
      for (const crash of crashes.filter(({ at }) => at === written)) {
        if (crash.isSettled) await cluster.settled(instance);
        await instance.crash();
        instance = await cluster.own(`after ${written}`, { replayBytesMax: 400 });
      }
    }
    await cluster.settled(instance);
    await expectWhole(instance);
    await instance.crash();
    await expectWhole(await cluster.own('last'));
  }), { numRuns: 60 });
});

test('[OWN-2] an owner publishes nothing before its fold has passed the log end seen after its claim', async () => {
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  // More than one read of the replay, so that there are moments in between at which something could leave.
  const large = 'x'.repeat(250_000);
  for (let sequence = 1; sequence <= 9; sequence += 1) await cluster.write(streamNo, append(sequence, large));
  await cluster.write(streamNo, end(9));
  const instance = await cluster.own('owner');
  await cluster.settled(instance);
  const values = (await cluster.records(cluster.topics.lifecycle)).map(({ value }) => JSON.parse(String(value)) as { status?: string });
  // The claim, and then one value that has the whole story: never `open`, although the fold passed through it.
  expect(values.map(({ status }) => status)).toEqual([undefined, 'ended']);
});

test('[OWN-2] the owner publishes open, verdicts, retries and the end, each with a growing version', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  for (const record of [open(), append(1, 'x'), retry(2, 'none'), append(1, 'y', { epoch: 2 }), end(1, { epoch: 2 })]) {
    await cluster.write(streamNo, record);
    await cluster.settled(instance);
  }
  const values = (await cluster.records(cluster.topics.lifecycle)).filter(({ key }) => key === streamNo)
    .map(({ value }) => JSON.parse(String(value)) as LifecycleValue);
  expect(values.map(({ status, epoch }) => [status, epoch])).toEqual([['open', 1], ['open', 2], ['ended', 2]]);
  expect(values.at(-1)!.verdicts.map(({ kind, outcome }) => [kind, outcome])).toEqual([['open', 'accepted'], ['retry', 'accepted'], ['end', 'accepted']]);
  expect(values.map(({ version }) => version[1])).toEqual([0, 2, 4]);
});

test('[APPEND-1] an end that waited is answered under its own offset, also when other verdicts came in between', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  const endOffset = await cluster.write(streamNo, end(1));
  await cluster.write(streamNo, end(7), append(1, 'late'));
  await cluster.settled(instance);
  const { verdicts } = (await cluster.table()).get(streamNo)!;
  expect(verdicts.map(({ kind, outcome }) => [kind, outcome])).toEqual([['open', 'accepted'], ['end', 'accepted'], ['end', 'refused']]);
  expect(verdicts[1]!.offset).toBe(endOffset);
});

test('[APPEND-4] a repeated cancel of an ended stream nobody watches still gets its verdict', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), cancel());
  await cluster.settled(instance);
  expect(instance.owners.openStreams).toBe(0);
  const again = await cluster.write(streamNo, cancel());
  await cluster.settled(instance);
  expect((await cluster.table()).get(streamNo)!.verdicts.at(-1)).toMatchObject({ offset: again, kind: 'cancel', outcome: 'accepted' });
});

test('an ended stream nobody watches is one entry, comes back when asked for, and goes again when released', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open({}, { channel: 'news' }), append(1, ['a', 'b']), end(2));
  await cluster.settled(instance);
  expect(instance.owners.finishedStreams).toBe(1);
  const [one, two] = await Promise.all([instance.open(streamNo), instance.open(streamNo)]);
  expect(two).toBe(one);
  expect(one).toMatchObject({ streamNo, partition: PARTITION, isOrphaned: false, state: { status: 'ended', bytes: 2, next: 3 } });
  expect(one.positions[0]).toMatchObject({ offset: 0, next: 1 });
  instance.release(one);
  expect(instance.owners.finishedStreams).toBe(0);
  instance.release(two);
  expect(instance.owners.finishedStreams).toBe(1);
  expect(instance.channels.streams('news')).toEqual([{ streamNo, partition: PARTITION, openedOffset: 0 }]);
});

test('a stream opened a moment ago is found: open() waits until the fold has passed the end of the log', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  const entry = await instance.open(streamNo);
  expect(entry.state.status).toBe('open');
  await expect(instance.open(cluster.streamNo())).rejects.toMatchObject({ code: 'STREAM_NOT_FOUND' });
});

test('a channel knows its streams, in the order of the log, and tells of new ones, also of those a new owner restores', async () => {
  const instance = await cluster.own('owner');
  const [first, second, third] = [cluster.streamNo(), cluster.streamNo(), cluster.streamNo()];
  await cluster.write(second, open({}, { channel: 'c' }));
  await cluster.write(first, open({}, { channel: 'c' }), cancel());
  await cluster.settled(instance);
  const told: string[] = [];
  const known = (of: typeof instance): string[] => of.channels.streams('c').map(({ streamNo }) => streamNo);
  const stop = instance.channels.follow('c', (streams) => told.push(...streams.map(({ streamNo }) => streamNo)));
  expect(known(instance)).toEqual([second, first]);
  await cluster.write(third, open({}, { channel: 'c' }));
  await cluster.settled(instance);
  expect(told).toEqual([third]);
  stop();
  await instance.crash();
  const next = await cluster.own('next');
  expect(known(next)).toEqual([second, first, third]);
});

test('sessions of a revoked partition are told: the entry is orphaned, and the owner answers NOT_OWNER from then on', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  const entry = await instance.open(streamNo);
  let calls = 0;
  entry.onChange(() => (calls += 1));
  instance.owners.revoked(PARTITION);
  expect(entry.isOrphaned).toBe(true);
  expect(calls).toBe(1);
  instance.release(entry);
  await expect(instance.open(streamNo)).rejects.toMatchObject({ code: 'NOT_OWNER' });
});

test('a listener is called once per batch and stream, however many records changed it', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  const entry = await instance.open(streamNo);
  let calls = 0;
  const stop = entry.onChange(() => (calls += 1));
  await cluster.write(streamNo, append(1, 'a'), append(2, 'b'), append(3, 'c'));
  await cluster.settled(instance);
  expect(calls).toBe(1);
  stop();
  await cluster.write(streamNo, append(4, 'd'));
  await cluster.settled(instance);
  expect(calls).toBe(1);
  expect(entry.view.next).toBe(5);
});

test('[OWN-7] records that cannot be read go to the dead letters with their place, and the next ones are folded', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  const poison = await cluster.writeBytes('whatever', Buffer.from([0xff, 0xff, 0xff]));
  await cluster.writeBytes(streamNo, null);
  await cluster.write(cluster.streamNo(PARTITION + 1), open());
  await cluster.write(streamNo, append(1, 'goes on'));
  await cluster.settled(instance);
  expect(instance.counts.deadLetters).toEqual({ undecodable: 1, 'no-value': 1, misplaced: 1 });
  expect((await instance.open(streamNo)).state.bytes).toBe(7);
  const letters = await eventually(async () => {
    const found = await cluster.records(cluster.topics.deadletters);
    expect(found).toHaveLength(3);
    return found;
  });
  expect(letters[0]).toMatchObject({
    key: 'whatever', value: Buffer.from([0xff, 0xff, 0xff]),
    headers: { reason: 'undecodable', topic: cluster.topics.fragments, partition: '0', offset: String(poison) },
  });
});

test('[OWN-7] a judged refusal is a counter by code, not a dead letter', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(1, ['a', 'b']), append(1, 'a'), append(3, 'c', { epoch: 2 }), cancel(), append(3, 'c'));
  await cluster.settled(instance);
  await cluster.write(streamNo, append(3, ['c', 'd']));
  await cluster.write(cluster.streamNo(), append(1, 'x'));
  await cluster.settled(instance);
  expect(instance.counts).toMatchObject({
    accepted: 2, duplicates: 1, deadLetters: {}, refused: { EPOCH_UNKNOWN: 1, STREAM_FINAL: 3, STREAM_NOT_FOUND: 1 },
  });
});

test('[OWN-7] a lifecycle value that cannot be read does not stop a takeover, and its stream is folded again', async () => {
  const first = await cluster.own('first');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), append(1, 'kept'));
  await cluster.settled(first);
  await first.crash();
  await cluster.writeLifecycle(streamNo, Buffer.from('not json'));
  const second = await cluster.own('second');
  await cluster.settled(second);
  expect(second.counts.deadLetters).toEqual({ 'lifecycle-undecodable': 1 });
  expect((await second.open(streamNo)).state).toMatchObject({ status: 'open', bytes: 4 });
});

test('[OWN-2] revoked during the last question of its start an owner never serves', async () => {
  const instance = await cluster.own('owner');
  instance.owners.revoked(PARTITION);
  const { bounds } = MemoryLog.prototype;
  let asked = 0;
  const spy = jest.spyOn(MemoryLog.prototype, 'bounds').mockImplementation(async function (this: MemoryLog, topic, partition) {
    const answer = await bounds.call(this, topic, partition);
    if (topic === cluster.topics.fragments && (asked += 1) === 2) instance.owners.revoked(PARTITION);
    return answer;
  });
  await expect(instance.owners.assigned(PARTITION)).rejects.toMatchObject({ code: 'NOT_OWNER' });
  expect(asked).toBe(2);
  spy.mockRestore();
});

test.each(['lifecycle', 'fragments'] as const)('[OWN-2] a %s log that does not show what it has: the start pauses, and gives up', async (name) => {
  const first = await cluster.own('first');
  await cluster.write(cluster.streamNo(), open(), append(1, 'x'));
  await cluster.settled(first);
  await first.crash();
  const { scan } = MemoryLog.prototype;
  let reads = 0;
  const spy = jest.spyOn(MemoryLog.prototype, 'scan').mockImplementation(async function (this: MemoryLog, topic, partition, from, options) {
    const batch = await scan.call(this, topic, partition, from, options);
    if (topic !== cluster.topics[name]) return batch;
    reads += 1;
    return { ...batch, records: [], nextOffset: from };
  });
  const failed = expect(cluster.own('second')).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  await cluster.pass(6_000);
  await failed;
  spy.mockRestore();
  expect(reads).toBeLessThan(60);
});

test('[OWN-7] an ended stream that the log does not show for a while is neither unknown to readers nor passed over by the fold', async () => {
  const instance = await cluster.own('owner');
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open(), cancel());
  await cluster.settled(instance);
  expect(instance.owners.finishedStreams).toBe(1);
  const { scan } = MemoryLog.prototype;
  const spy = jest.spyOn(MemoryLog.prototype, 'scan').mockImplementation(async function (this: MemoryLog, topic, partition, from, options) {
    const batch = await scan.call(this, topic, partition, from, options);
    return topic === cluster.topics.lifecycle ? { ...batch, records: [], nextOffset: from } : batch;
  });
  await expect(instance.replicas.open(streamNo)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  // Its verdict needs the stream: the fold waits for it.
  const offset = await cluster.write(streamNo, cancel());
  await cluster.pass(500);
  spy.mockRestore();
  await cluster.pass(500);
  await cluster.settled(instance);
  expect((await cluster.table()).get(streamNo)!.verdicts).toContainEqual({ offset, kind: 'cancel', outcome: 'accepted' });
});
