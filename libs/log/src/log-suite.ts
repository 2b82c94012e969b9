import { randomBytes } from 'node:crypto';
import { StreamError } from '@rivulet/protocol';
import type { AppenderOptions, Log, LogBatch, StoredRecord, Tail } from './log';
import { Table } from './table';

/** What is a test's own of a log: a fresh topic, and records gathered from it. */
export class Gatherer {
  readonly records: StoredRecord[] = [];
  readonly jumps: { expected: number; start: number; end: number }[] = [];
  private readonly waiting = new Set<() => void>();

  readonly handlers = {
    onBatch: (batch: LogBatch): void => {
      // The values are lent: what is kept is copied.
      for (const record of batch.records) this.records.push({ ...record, value: record.value && Buffer.from(record.value) });
      for (const check of this.waiting) check();
    },
    onJump: (jump: { expected: number; start: number; end: number }): void => {
      this.jumps.push(jump);
      for (const check of this.waiting) check();
    },
  };

  values(): string[] {
    return this.records.map((record) => String(record.value));
  }

  until(condition: () => boolean, deadlineMs = 15_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(check);
        reject(new Error(`after ${deadlineMs} ms: ${this.records.length} records, ${this.jumps.length} jumps`));
      }, deadlineMs);
      const check = (): void => {
        if (!condition()) return;
        clearTimeout(timer);
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }

  count(records: number, deadlineMs?: number): Promise<void> {
    return this.until(() => this.records.length >= records, deadlineMs);
  }
}

/** One record per entry: `key:value`. */
export function plain(topic: string, options: Partial<AppenderOptions<string>> = {}): AppenderOptions<string> {
  return {
    topic,
    class: 'interactive',
    encode: (entries) => entries.map((entry) => ({ key: entry.split(':')[0]!, value: Buffer.from(entry), entries: 1 })),
    queueBytesMax: 64 * 1024 * 1024,
    batchBytesMax: 512 * 1024,
    batchEntriesMax: 1000,
    deadlineMs: 10_000,
    ...options,
  };
}

export async function freshTopic(log: Log, partitions: number, settings: Record<string, string> = {}): Promise<string> {
  const topic = `suite-${randomBytes(6).toString('hex')}`;
  await log.createTopics([{ topic, partitions, replication: 1, settings: { 'message.timestamp.type': 'LogAppendTime', ...settings } }]);
  return topic;
}

export const codeOf = (error: unknown): string => (error instanceof StreamError ? error.code : String(error));

export function assignedTo(groupId: string, topic: string) {
  const held = new Set<number>();
  const gatherer = new Gatherer();
  const changed = () => gatherer.handlers.onJump({ expected: 0, start: 0, end: 0 });
  const options = {
    groupId,
    topic,
    sessionTimeoutMs: 3000,
    heartbeatMs: 300,
    onAssigned: (partitions: number[]) => { for (const p of partitions) held.add(p); changed(); },
    onRevoked: (partitions: number[]) => { for (const p of partitions) held.delete(p); changed(); },
  };
  return { held, options, until: (condition: () => boolean) => gatherer.until(condition) };
}

/** What both implementations promise. @param open a client of the one log of the test file */
export function describeLog(name: string, open: () => Promise<Log>): void {
  describe(`${name}: the log`, () => {
    let log: Log;
    beforeAll(async () => { log = await open(); });
    afterAll(() => log.close());

    describeAppending(() => log);
    describeReading(() => log);
    describeTables(() => log);
    describeGroups(() => log, open);
  });
}

function describeAppending(get: () => Log): void {
  test('appends of a partition keep their order, and each answers the offset of its record', async () => {
    const log = get();
    const topic = await freshTopic(log, 2);
    const appender = log.appender(plain(topic));
    const wanted = Array.from({ length: 3000 }, (_, i) => `k:${i}`);
    const answers = await Promise.all(wanted.map((entry) => appender.append(1, entry, entry.length)));
    const gatherer = new Gatherer();
    const tail = log.tail(topic, 1, 0, gatherer.handlers);
    await gatherer.count(wanted.length);
    await tail.close();
    expect(gatherer.values()).toEqual(wanted);
    expect(answers.map(({ offset }) => offset)).toEqual(wanted.map((_, i) => i));
    expect(await log.bounds(topic, 0)).toEqual({ start: 0, end: 0 });
    await appender.close();
  });

  test('entries packed into one record share its offset', async () => {
    const log = get();
    const topic = await freshTopic(log, 1);
    const appender = log.appender<string>(plain(topic, {
      encode: (entries) => [{ key: 'pack', value: Buffer.from(entries.join('+')), entries: entries.length }],
    }));
    const answers = await Promise.all(['a', 'b', 'c'].map((entry) => appender.append(0, entry, 1)));
    expect(answers.map(({ offset }) => offset)).toEqual([0, 0, 0]);
    const batch = await log.scan(topic, 0, 0);
    expect(batch.records.map(({ key, value }) => [key, String(value)])).toEqual([['pack', 'a+b+c']]);
    await appender.close();
  });

  test('[APPEND-5] a full queue rejects with OVERLOADED and takes entries again once it drained', async () => {
    const log = get();
    const topic = await freshTopic(log, 1);
    const appender = log.appender(plain(topic, { queueBytesMax: 10 }));
    const first = appender.append(0, 'k:1234567', 9);
    expect(appender.queuedBytes(0)).toBe(9);
    await expect(appender.append(0, 'k:2', 3).catch(codeOf)).resolves.toBe('OVERLOADED');
    await first;
    expect(appender.queuedBytes(0)).toBe(0);
    await appender.append(0, 'k:2', 3);
    await appender.close();
  });

  test('flush waits for what was appended so far, and close refuses what comes after', async () => {
    const log = get();
    const topic = await freshTopic(log, 3);
    const appender = log.appender(plain(topic));
    let settled = 0;
    for (let i = 0; i < 30; i += 1) void appender.append(i % 3, `k:${i}`, 4).then(() => (settled += 1));
    await appender.flush();
    expect(settled).toBe(30);
    await appender.close();
    await expect(appender.append(0, 'k:late', 4).catch(codeOf)).resolves.toBe('NOT_READY');
  });

  test('an empty value and a tombstone arrive as what they are, with the time of the broker', async () => {
    const log = get();
    const topic = await freshTopic(log, 1);
    const appender = log.appender<Buffer | null>({
      ...plain(topic),
      encode: (entries) => entries.map((value) => ({ key: 'k', value, entries: 1 })),
    });
    const before = Date.now();
    await appender.append(0, Buffer.alloc(0), 0);
    await appender.append(0, null, 0);
    const { records, nextOffset, highWatermark } = await log.scan(topic, 0, 0);
    expect(records.map(({ value }) => value)).toEqual([Buffer.alloc(0), null]);
    for (const { timestamp } of records) expect(Math.abs(timestamp - before)).toBeLessThan(5000);
    expect([nextOffset, highWatermark]).toEqual([2, 2]);
    await appender.close();
  });
}

function describeReading(get: () => Log): void {
  const fill = async (log: Log, topic: string, count: number, size = 1): Promise<void> => {
    // Small batches: a scan gives whole ones.
    const appender = log.appender(plain(topic, { batchEntriesMax: 20 }));
    await Promise.all(Array.from({ length: count }, (_, i) => appender.append(0, `k:${i}:${'x'.repeat(size)}`, size + 8)));
    await appender.close();
  };

  test('a tail starts at its offset and follows what is appended later', async () => {
    const log = get();
    const topic = await freshTopic(log, 1);
    await fill(log, topic, 10);
    const gatherer = new Gatherer();
    const tail = log.tail(topic, 0, 7, gatherer.handlers);
    await gatherer.count(3);
    await fill(log, topic, 5);
    await gatherer.count(8);
    expect(gatherer.records.map(({ offset }) => offset)).toEqual([7, 8, 9, 10, 11, 12, 13, 14]);
    expect(tail.nextOffset).toBe(15);
    await tail.close();
  });

  test('a pending handler holds its own partition back and no other', async () => {
    const log = get();
    const topic = await freshTopic(log, 2);
    const appender = log.appender(plain(topic));
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const slow = new Gatherer();
    const quick = new Gatherer();
    const tails: Tail[] = [
      log.tail(topic, 0, 0, { ...slow.handlers, onBatch: (batch) => { slow.handlers.onBatch(batch); return gate; } }),
      log.tail(topic, 1, 0, quick.handlers),
    ];
    await appender.append(0, 'k:first', 7);
    await slow.count(1);
    for (let i = 0; i < 20; i += 1) {
      await appender.append(0, `k:${i}`, 4);
      await appender.append(1, `k:${i}`, 4);
    }
    await quick.count(20);
    expect(slow.values()).toEqual(['k:first']);
    release();
    await slow.count(21);
    for (const tail of tails) await tail.close();
    await appender.close();
  });

  test('after close no handler starts', async () => {
    const log = get();
    const topic = await freshTopic(log, 1);
    await fill(log, topic, 3);
    const gatherer = new Gatherer();
    const tail = log.tail(topic, 0, 0, gatherer.handlers);
    await gatherer.count(3);
    await tail.close();
    const other = new Gatherer();
    const follower = log.tail(topic, 0, 3, other.handlers);
    await fill(log, topic, 3);
    await other.count(3);
    expect(gatherer.records).toHaveLength(3);
    await follower.close();
  });

  test('a tail ahead of the end reports a jump and stops', async () => {
    const log = get();
    const topic = await freshTopic(log, 1);
    await fill(log, topic, 3);
    const gatherer = new Gatherer();
    log.tail(topic, 0, 99, gatherer.handlers);
    await gatherer.until(() => gatherer.jumps.length > 0);
    expect(gatherer.jumps).toEqual([{ expected: 99, start: 0, end: 3 }]);
  });

  test('scans read a partition piece by piece up to its end', async () => {
    const log = get();
    const topic = await freshTopic(log, 1);
    await fill(log, topic, 300, 1000);
    const offsets: number[] = [];
    let from = 0;
    let turns = 0;
    for (;;) {
      const batch = await log.scan(topic, 0, from, { bytesMax: 64 * 1024 });
      offsets.push(...batch.records.map(({ offset }) => offset));
      from = batch.nextOffset;
      turns += 1;
      if (from >= batch.highWatermark) break;
    }
    expect(offsets).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(turns).toBeGreaterThan(1);
    expect((await log.scan(topic, 0, 300)).records).toEqual([]);
  });

  test('partitions are counted, the cluster has an identity, and a topic that does not exist is LOG_UNAVAILABLE', async () => {
    const log = get();
    const topic = await freshTopic(log, 5);
    expect(await log.partitions(topic)).toBe(5);
    expect(await log.clusterId()).toBe(await log.clusterId());
    await log.check();
    await expect(log.partitions('suite-there-is-no-such-topic').catch(codeOf)).resolves.toBe('LOG_UNAVAILABLE');
  });
}

function describeTables(get: () => Log): void {
  interface Row { version: number; text: string }
  const open = (log: Log, topic: string) => new Table<Row>({
    log,
    topic,
    decode: (_key, value) => JSON.parse(value.toString()) as Row,
    isNewer: (a, b) => a.version > b.version,
  });
  const row = (version: number, text: string) => JSON.stringify({ version, text });
  const write = async (log: Log, topic: string, rows: [key: string, value: string | null][]): Promise<void> => {
    const appender = log.appender<[string, string | null]>({
      ...plain(topic),
      encode: (entries) => entries.map(([key, value]) => ({ key, value: value === null ? null : Buffer.from(value), entries: 1 })),
    });
    for (const entry of rows) await appender.append(entry[0].length % 2, entry, 1);
    await appender.close();
  };

  test('[OWN-2] a table keeps the maximum version, never the last write, and survives what it cannot decode', async () => {
    const log = get();
    const topic = await freshTopic(log, 2, { 'cleanup.policy': 'compact' });
    await write(log, topic, [['a', row(3, 'new')], ['a', row(2, 'old')], ['bb', row(1, 'b')], ['bb', '{garbage'], ['c', row(1, 'c')], ['c', null]]);
    const table = open(log, topic);
    await table.ready;
    expect([...table.entries()].sort()).toEqual([['a', { version: 3, text: 'new' }], ['bb', { version: 1, text: 'b' }]]);
    const changes: unknown[] = [];
    const gatherer = new Gatherer();
    table.onChange((key, value, previous) => {
      changes.push([key, value?.text ?? null, previous?.text]);
      gatherer.handlers.onJump({ expected: 0, start: 0, end: 0 });
    });
    await write(log, topic, [['a', row(4, 'newest')], ['a', null]]);
    await gatherer.until(() => changes.length === 2);
    expect(changes).toEqual([['a', 'newest', 'new'], ['a', null, 'newest']]);
    expect(table.get('a')).toBeUndefined();
    await table.close();
  });

  test('[APPEND-12] a table that is asked to be current shows what was in the log at the call', async () => {
    const log = get();
    const topic = await freshTopic(log, 2, { 'cleanup.policy': 'compact' });
    const table = open(log, topic);
    await table.ready;
    await table.current(1);
    for (let version = 1; version <= 20; version += 1) {
      await write(log, topic, [['a', row(version, 'a')]]);
      await table.current(1);
      expect(table.get('a')?.version).toBe(version);
    }
    await table.close();
    await table.current(1); // nothing waits for ever
  });
}

function describeGroups(get: () => Log, open: () => Promise<Log>): void {
  test('[OWN-1] two members share the partitions, know each other, and the one that stays ends with all', async () => {
    const log = get();
    const other = await open();
    const isShared = log.kind === 'kafka' || (await other.clusterId()) === (await log.clusterId());
    expect(isShared).toBe(true);
    const topic = await freshTopic(log, 6);
    const groupId = `${topic}.group`;
    const a = assignedTo(groupId, topic);
    const b = assignedTo(groupId, topic);
    const first = await log.join(a.options);
    await a.until(() => a.held.size === 6);
    const second = await other.join(b.options);
    await a.until(() => a.held.size === 3);
    await b.until(() => b.held.size === 3);
    expect([...a.held, ...b.held].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const kept = [...b.held];
    await first.leave();
    expect(a.held.size).toBe(0);
    await b.until(() => b.held.size === 6);
    expect([...b.held].slice(0, 3)).toEqual(kept); // what it had never left it
    expect(performance.now() - second.heartbeatAt).toBeLessThan(3000);
    await second.leave();
    await other.close();
  });
}
