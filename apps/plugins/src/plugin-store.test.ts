import { randomBytes } from 'node:crypto';
import { MemoryLog, topicSpecs } from '@rivulet/log';
import { topicNames } from '@rivulet/protocol';
import pino from 'pino';
import { advanced, changed, installed, removed, takenBack } from './desired';
import type { Desired, Release } from './desired';
import { sha256Of } from './package-file';
import { PluginStore } from './plugin-store';

const names = topicNames('t');
const tgz = randomBytes(1_200_000);
const digest = sha256Of(tgz);
const author = (id: string) => ({ id, by: 'me', at: 0 });
const release: Release = { version: '1.0.0', digest, bytes: tgz.length, by: 'me', at: 0 };

let log: MemoryLog;
let now: number;
let stores: PluginStore[];

async function open(): Promise<PluginStore> {
  const store = new PluginStore({ log: new MemoryLog({}, log), topic: names.plugins, packageBytesMax: 4_000_000, logger: pino({ level: 'silent' }), now: () => now });
  stores.push(store);
  await store.ready;
  return store;
}
/** Another host that reads it all from the start, after a compaction: of each key only the last record. */
async function openCompacted(): Promise<PluginStore> {
  const last = new Map<string, { key: string; value: Buffer | null }>();
  const { start, end } = await log.bounds(names.plugins, 0);
  for (let at = start; at < end;) {
    const { records, nextOffset } = await log.scan(names.plugins, 0, at);
    for (const { key, value } of records) {
      last.delete(key);
      last.set(key, { key, value: value && Buffer.from(value) });
    }
    at = nextOffset;
  }
  const compacted = new MemoryLog();
  await compacted.createTopics(topicSpecs(names, { interactive: 1, bulk: 1, replication: 1, minInsync: 1 }));
  const appender = compacted.appender<{ key: string; value: Buffer | null }>({
    topic: names.plugins, class: 'control', queueBytesMax: 1e8, batchBytesMax: 1e6, batchEntriesMax: 100, deadlineMs: 5_000,
    encode: (entries) => entries.map((one) => ({ ...one, entries: 1 })),
  });
  for (const one of last.values()) await appender.append(0, one, 1);
  await appender.close();
  log = compacted;
  return open();
}
const packageOf = { name: 'p', version: '1.0.0', digest, bytes: tgz.length, tree: digest, files: 1, unpackedBytes: 1, at: 0 };

beforeEach(async () => {
  log = new MemoryLog();
  await log.createTopics(topicSpecs(names, { interactive: 1, bulk: 1, replication: 1, minInsync: 1 }));
  now = 0;
  stores = [];
});
afterEach(() => Promise.all(stores.map((store) => store.close())));

test('a package goes into the log in parts, and every host reads it back; parts that are missing are an error', async () => {
  const [one, two] = [await open(), await open()];
  await one.writePackage(tgz, packageOf);
  await one.propose(installed('p', undefined, release, 'a', author('i')));
  await two.propose(changed('q', undefined, {}, author('x')));
  expect(two.manifest(digest)).toMatchObject({ parts: 3 });
  expect((await two.readPackage(two.manifest(digest)!)).equals(tgz)).toBe(true);
  await expect(two.readPackage({ ...two.manifest(digest)!, parts: 4 })).rejects.toThrow('part 4 of 4 is not in the log');
});

test('[PLUGIN-4] of two changes at once the log takes the first; the other host is told, and both see the same', async () => {
  const [one, two] = [await open(), await open()];
  const [mine, yours] = [installed('p', undefined, release, 'a', author('mine')), changed('p', undefined, { isEnabled: false }, author('yours'))];
  const counted = await Promise.all([one.propose(mine), two.propose(yours)]);
  expect(counted.filter((counts) => counts)).toHaveLength(1);
  expect(one.desired('p')).toEqual(two.desired('p'));
  expect(one.desired('p')!.id).toBe(counted[0] ? 'mine' : 'yours');
});

test('two hosts that both lead: one step counts, and what a loser wrote last is mended before compaction keeps it', async () => {
  const [one, two] = [await open(), await open()];
  const trying = installed('p', installed('p', undefined, release, 'a', author('i1')), { ...release, version: '2.0.0', digest: 'e'.repeat(64) }, 'b', author('i2'));
  await one.propose(trying);
  await one.propose(advanced(trying, 's1'));
  await two.propose(takenBack(trying, { host: 'b', code: 'CRASHED', detail: '', at: 0 }, 's2'));
  expect([one, two].map((store) => store.desired('p')!.id)).toEqual(['s1', 's1']);
  await one.tidy();
  expect((await openCompacted()).desired('p')).toMatchObject({ id: 's1', current: { version: '2.0.0' } });
});

test('a late step does not bring back what was removed, before and after compaction', async () => {
  const one = await open();
  const trying = installed('p', installed('p', undefined, release, 'a', author('i1')), { ...release, version: '2.0.0', digest: 'e'.repeat(64) }, 'b', author('i2'));
  await one.propose(trying);
  await one.propose(removed(trying, author('d')));
  expect(await one.propose(advanced(trying, 'late'))).toBe(false);
  const gone: Partial<Desired> = { id: 'd', current: null, rollout: null };
  expect(one.desired('p')).toMatchObject(gone);
  await one.tidy();
  expect((await openCompacted()).desired('p')).toMatchObject(gone);
});

test('a package nobody refers to any more is removed from the log, not before an install could be under way', async () => {
  const one = await open();
  const desired = installed('p', undefined, release, 'a', author('i'));
  await one.writePackage(tgz, packageOf);
  await one.propose(desired);
  await one.tidy();
  await one.propose(removed(desired, author('d')));
  await one.tidy();
  now = 59_999;
  await one.tidy();
  expect(one.manifest(digest)).toBeDefined();
  now = 60_000;
  await one.tidy();
  const fresh = await open();
  expect([fresh.manifest(digest), fresh.desired('p')?.current]).toEqual([undefined, null]);
});
