import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { BEAT_KEY, decodeRecord, encodeLifecycle, encodeRecord, judge } from '@rivulet/protocol';
import type { LifecycleValue, LogRecord, StreamState } from '@rivulet/protocol';
import { MemoryLog, topicSpecs } from '@rivulet/log';
import { crc32 } from '@rivulet/service';
import { arbitraryLog } from '../../../test/support/arbitrary-log';
import { OwnerCluster, PARTITION } from '../../../test/support/owner-cluster';
import { append, end, open } from '../../../test/support/records';
import { anchorsOf } from './anchors';
import { lifecycleOf } from './log-access';
import type { OpenedLog } from './log-access';
import { verify } from './verify';

interface Kept { key: string; value: Buffer | null; offset: number }

async function recordsOf(log: MemoryLog, topic: string): Promise<Kept[]> {
  const kept: Kept[] = [];
  const { end } = await log.bounds(topic, PARTITION);
  for (let next = 0; next < end; ) {
    const batch = await log.scan(topic, PARTITION, next);
    for (const { key, value, offset } of batch.records) kept.push({ key, offset, value: value && Buffer.from(value) });
    next = batch.nextOffset;
  }
  return kept;
}

/** The content that a reader has in the end. */
function contentOf(records: Kept[], streamNo: string): Buffer {
  let state: StreamState | undefined;
  let parts: Uint8Array[] = [];
  for (const { key, value, offset } of records) {
    if (key !== streamNo) continue;
    const judged = judge(state, streamNo, decodeRecord(Buffer.from(value!)), offset, offset, crc32);
    state = judged.state;
    for (const effect of judged.effects) {
      if (effect.kind === 'attempt' && effect.keep === 'none') parts = [];
      if (effect.kind === 'fragments') parts.push(...effect.payloads);
    }
  }
  return Buffer.concat(parts);
}

/** A log with the same records at the same offsets. */
async function copyOf(cluster: OwnerCluster, fragments: Kept[]): Promise<OpenedLog> {
  const log = new MemoryLog({ now: () => cluster.time.wall() });
  const { topics } = cluster;
  await log.createTopics(topicSpecs(topics, { interactive: 1, bulk: 1, replication: 1, minInsync: 1 }));
  const lifecycle = await recordsOf(cluster.log, topics.lifecycle);
  for (const [topic, records] of [[topics.fragments, fragments], [topics.lifecycle, lifecycle]] as const) {
    const appender = log.appender<Kept>({
      topic, class: 'control', queueBytesMax: 1e9, batchBytesMax: 1e9, batchEntriesMax: 1e6, deadlineMs: 5_000,
      encode: (kept) => kept.map(({ key, value }) => ({ key, value, entries: 1 })),
    });
    await Promise.all(records.map((record) => appender.append(PARTITION, record, 1)));
  }
  return { log, topics, close: () => log.close() };
}

const altered = (record: LogRecord & { kind: 'append' }, turn: number): Buffer => {
  const payloads = record.payloads.map((payload) => Buffer.from(payload));
  const victim = payloads[turn % payloads.length]!;
  victim[turn % victim.length]! ^= 1 + (turn % 255);
  return Buffer.from(encodeRecord({ ...record, payloads }));
};

const ofThis = ({ streams }: LogRecord & { kind: 'beat' }, no: string): LogRecord => ({ kind: 'beat', streams: streams.map(({ epoch }) => ({ no, epoch })) });

test('after any history verify finds nothing; and any byte altered in the content is located, to its record or to a stretch around it', async () => {
  let located = 0;
  let exact = 0;
  await fc.assert(fc.asyncProperty(arbitraryLog, fc.nat(), fc.nat(), async (story, which, turn) => {
    const cluster = await OwnerCluster.start();
    try {
      const owner = await cluster.own('owner', { replayBytesMax: 400 });
      const streamNo = cluster.streamNo();
      for (const { record } of story) {
        cluster.time.advance(7);
        const isBeat = record.kind === 'beat';
        await cluster.write(isBeat ? BEAT_KEY : streamNo, isBeat ? ofThis(record, streamNo) : record);
      }
      await cluster.settled(owner);
      const opened: OpenedLog = { log: cluster.log, topics: cluster.topics, close: async () => undefined };
      const whole = await verify(opened, streamNo, PARTITION, { isEverywhere: false });
      // The stories seal with digests that are none: what is found then is just that.
      expect(whole.damages.filter(({ code }) => code !== 'DIGEST_DIFFERS')).toEqual([]);

      const records = await recordsOf(cluster.log, cluster.topics.fragments);
      const appends = records.filter(({ key, value }) => key === streamNo && decodeRecord(Buffer.from(value!)).kind === 'append');
      const victim = appends[which % Math.max(1, appends.length)];
      const { value } = await lifecycleOf(opened, streamNo, PARTITION);
      const lastAnchor = value === null ? -1 : Math.max(...anchorsOf(value).map(({ offset }) => offset));
      if (victim === undefined) return;
      const bytes = altered(decodeRecord(Buffer.from(victim.value!)) as LogRecord & { kind: 'append' }, turn);
      const damaged = records.map((record) => (record.offset === victim.offset ? { ...record, value: bytes } : record));
      const copy = await copyOf(cluster, damaged);
      const { damages } = await verify(copy, streamNo, PARTITION, { isEverywhere: false });
      await copy.close();
      const found = damages.filter(({ code }) => code === 'CONTENT_ALTERED');
      // What a rewind has voided, or was a duplicate, is of no content; and what came behind the last thing written down shows nowhere yet.
      const seen = (kept: Kept[]): Buffer => contentOf(kept.filter(({ offset }) => offset <= lastAnchor), streamNo);
      if (seen(damaged).equals(seen(records))) return expect(found).toEqual([]);
      expect(found).toHaveLength(1);
      expect(found[0]!.fromOffset).toBeLessThanOrEqual(victim.offset);
      expect(found[0]!.toOffset).toBeGreaterThanOrEqual(victim.offset);
      located += 1;
      if (found[0]!.suspects?.length === 1) exact += 1;
      for (const suspect of found[0]!.suspects ?? []) expect(suspect.offset).toBe(victim.offset);
    } finally {
      await cluster.stop();
    }
  }), { numRuns: 100 });
  console.log(`verify located ${located} altered bytes, ${exact} of them exactly`);
  expect(located).toBeGreaterThan(10);
});

/** A stream of 100 fragments that ended, in a cluster of its own. */
async function ended(
  digest: string, check: (cluster: OwnerCluster, streamNo: string, codes: () => Promise<string[]>) => Promise<void>,
): Promise<void> {
  const cluster = await OwnerCluster.start();
  try {
    const owner = await cluster.own('owner');
    const streamNo = cluster.streamNo();
    await cluster.write(streamNo, open());
    for (let n = 1; n <= 100; n += 1) await cluster.write(streamNo, append(n, `${n};`));
    await cluster.write(streamNo, end(100, { digest }));
    await cluster.settled(owner);
    const opened: OpenedLog = { log: cluster.log, topics: cluster.topics, close: async () => undefined };
    const verified = () => verify(opened, streamNo, PARTITION, { isEverywhere: false });
    await check(cluster, streamNo, async () => (await verified()).damages.map(({ code }) => code));
  } finally {
    await cluster.stop();
  }
}
const newer = ({ version }: LifecycleValue): LifecycleValue['version'] => [version[0], version[1] + 1, 0];
const DIGEST = createHash('sha256').update(Array.from({ length: 100 }, (_, index) => `${index + 1};`).join('')).digest('hex');

test('lifecycle that is unlike the log, or cannot be read, is told from damage of the content', () => ended(DIGEST, async (cluster, streamNo, codes) => {
  expect(await codes()).toEqual([]);
  const value = (await cluster.table()).get(streamNo)!;
  await cluster.writeLifecycle(streamNo, Buffer.from('{"half": '));
  expect(await codes()).toEqual(['LIFECYCLE_UNREADABLE']);
  const final = { ...value.final!, status: 'failed' as const };
  await cluster.writeLifecycle(streamNo, encodeLifecycle({ ...value, version: newer(value), status: 'failed', final }));
  expect(await codes()).toEqual(['LIFECYCLE_UNREADABLE', 'LIFECYCLE_DIFFERS']);
}));

test('a producer that sealed other bytes than it appended is told from a log that altered them', () => ended('a'.repeat(64), async (_cluster, _streamNo, codes) => {
  expect(await codes()).toEqual(['DIGEST_DIFFERS']);
}));

test('what retention has removed is said, and what is left is still verified', () => ended(DIGEST, async (cluster, streamNo, codes) => {
  cluster.log.truncate(cluster.topics.fragments, PARTITION, 50);
  expect(await codes()).toEqual(['BEGINNING_GONE']);
  const value = (await cluster.table()).get(streamNo)!;
  const last = value.positions.at(-1)!;
  const positions = [...value.positions.slice(0, -1), { ...last, checksum: last.checksum ^ 1 }];
  await cluster.writeLifecycle(streamNo, encodeLifecycle({ ...value, version: newer(value), positions }));
  expect((await codes()).slice(0, 2)).toEqual(['BEGINNING_GONE', 'CONTENT_ALTERED']);
}));
