import { cursorText, parseCursor, parseSessionKey } from '@rivulet/protocol';
import { eventually } from '../../../test/support/eventually';
import { OwnerCluster, PARTITION } from '../../../test/support/owner-cluster';
import type { Instance } from '../../../test/support/owner-cluster';
import { append, end, open } from '../../../test/support/records';
import { CursorFold } from './cursor-fold';
import { CursorKeeper } from './cursor-keeper';
import { SessionCursors } from './session-cursors';

let cluster: OwnerCluster;
const opened: { cursors: SessionCursors; keeper: CursorKeeper }[] = [];
beforeEach(async () => (cluster = await OwnerCluster.start()));
afterEach(async () => {
  for (const { cursors, keeper } of opened.splice(0)) {
    keeper.stop();
    cursors.close();
  }
  await cluster.stop();
});

/** What an instance has for named sessions; its clock is the cluster's. */
function sessionsOf({ log, owners }: Instance): SessionCursors {
  const nothing = (): void => undefined;
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const { time } = cluster;
  const cursors = new SessionCursors({ log, topic: cluster.topics.cursors, time, logger, idleMs: 60_000, appendMsMax: 5_000 });
  const keeper = new CursorKeeper(cursors, owners, time, logger);
  keeper.start();
  opened.push({ cursors, keeper });
  return cursors;
}

const confirm = (cursors: SessionCursors, streamNo: string, session: string, cursor: string): Promise<number> =>
  cursors.writeConfirmed(PARTITION, streamNo, session, { cursor: parseCursor(cursor) });

/** What is left when compaction has kept the last value of each key. */
async function compacted(): Promise<CursorFold> {
  const last = new Map((await cluster.records(cluster.topics.cursors)).map((record) => [record.key, record]));
  const fold = new CursorFold();
  for (const record of last.values()) fold.fold(record);
  return fold;
}

test('[WATCH-7] what a slower instance wrote over a further confirmation is written again by the owner, also by the next one', async () => {
  const owner = await cluster.own('owner');
  const cursors = sessionsOf(owner);
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  await confirm(cursors, streamNo, 's', '1.9');
  const confirmedAt = (await compacted()).find(streamNo, 's')!.confirmedAt;
  await confirm(cursors, streamNo, 's', '1.4');
  await eventually(async () => {
    await cluster.pass(1_000);
    const entry = (await compacted()).find(streamNo, 's')!;
    expect([cursorText(entry.confirmed!), entry.confirmedAt, entry.isShadowed]).toEqual(['1.9', confirmedAt, false]);
  });
  const settled = (await cluster.records(cluster.topics.cursors)).length;
  await cluster.pass(5_000, 1_000);
  expect(await cluster.records(cluster.topics.cursors)).toHaveLength(settled);
  await owner.crash();
  await confirm(sessionsOf(cluster.join('other')), streamNo, 's', '1.5');
  sessionsOf(await cluster.own('next'));
  await eventually(async () => {
    await cluster.pass(1_000);
    expect(cursorText((await compacted()).find(streamNo, 's')!.confirmed!)).toBe('1.9');
  });
});

test('[WATCH-7] the entries of a stream go with the stream, those of the others stay', async () => {
  const owner = await cluster.own('owner');
  const cursors = sessionsOf(owner);
  const [kept, removed] = [cluster.streamNo(), cluster.streamNo()];
  await cluster.write(kept, open(), append(1, 'a'));
  await cluster.write(removed, open({}, { retentionMs: 60_000 }), append(1, 'a'), end(1));
  await cluster.settled(owner);
  for (const streamNo of [kept, removed]) {
    await cursors.writeAttached(PARTITION, streamNo, 's', `${streamNo}.1`);
    await confirm(cursors, streamNo, 's', '1.1');
  }
  await cluster.pass(50_000, 1_000);
  expect([...(await compacted()).streams.keys()].sort()).toEqual([kept, removed].sort());
  await eventually(async () => {
    await cluster.pass(1_000);
    const records = await cluster.records(cluster.topics.cursors);
    const buried = records.filter(({ value }) => value === null).map(({ key }) => parseSessionKey(key)!.streamNo);
    expect(new Set(buried)).toEqual(new Set([removed]));
    expect([...(await compacted()).streams.keys()]).toEqual([kept]);
  });
});

test('a table nobody needs any more is given up, the owner\'s is kept', async () => {
  const owner = await cluster.own('owner');
  const [owned, other] = [sessionsOf(owner), sessionsOf(cluster.join('other'))];
  const streamNo = cluster.streamNo();
  await cluster.write(streamNo, open());
  await confirm(owned, streamNo, 's', '1.0');
  const table = other.hold(PARTITION);
  await table.caughtUp();
  expect(other.size).toBe(1);
  await cluster.pass(70_000, 10_000);
  expect(other.size).toBe(1);
  other.release(table);
  await cluster.pass(70_000, 1_000);
  expect([owned.size, other.size]).toEqual([1, 0]);
  await expect(table.reached(1e9)).rejects.toMatchObject({ code: 'NOT_READY' });
});
