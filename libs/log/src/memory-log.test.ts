import { describeLog, codeOf, freshTopic, Gatherer, plain } from './log-suite';
import { MemoryLog } from './memory-log';

const cluster = new MemoryLog();
describeLog('memory', async () => new MemoryLog({}, cluster));

describe('memory only', () => {
  test('a lost answer is resent before anything newer: nothing is lost, order holds, duplicates appear', async () => {
    const log = new MemoryLog();
    const topic = await freshTopic(log, 1);
    const appender = log.appender(plain(topic, { batchEntriesMax: 10 }));
    log.faults.lostAnswers = 2;
    const wanted = Array.from({ length: 30 }, (_, i) => `k:${i}`);
    await Promise.all(wanted.map((entry) => appender.append(0, entry, 4)));
    const { records } = await log.scan(topic, 0, 0);
    const values = records.map(({ value }) => String(value));
    expect(values).toEqual([...wanted.slice(0, 10), ...wanted.slice(0, 10), ...wanted]);
    await log.close();
  });

  test('[APPEND-5] a log that is away rejects within the deadline and takes appends again afterwards', async () => {
    const log = new MemoryLog();
    const topic = await freshTopic(log, 1);
    const appender = log.appender(plain(topic, { deadlineMs: 100 }));
    log.faults.isAway = true;
    await expect(appender.append(0, 'k:1', 3).catch(codeOf)).resolves.toBe('LOG_UNAVAILABLE');
    await expect(log.check().catch(codeOf)).resolves.toBe('LOG_UNAVAILABLE');
    log.faults.isAway = false;
    await appender.append(0, 'k:2', 3);
    expect((await log.scan(topic, 0, 0)).records.map(({ value }) => String(value))).toEqual(['k:2']);
    await log.close();
  });

  test('[WATCH-5] truncation is told to tails as a jump and to scans as CURSOR_EXPIRED with the start', async () => {
    const log = new MemoryLog();
    const topic = await freshTopic(log, 1);
    const appender = log.appender(plain(topic));
    for (let i = 0; i < 10; i += 1) await appender.append(0, `k:${i}`, 3);
    log.truncate(topic, 0, 6);
    const gatherer = new Gatherer();
    log.tail(topic, 0, 2, gatherer.handlers);
    await gatherer.until(() => gatherer.jumps.length === 1);
    expect(gatherer.jumps).toEqual([{ expected: 2, start: 6, end: 10 }]);
    await expect(log.scan(topic, 0, 2)).rejects.toMatchObject({ code: 'CURSOR_EXPIRED', details: { start: 6 } });
    await log.close();
  });

  test('what is kept is bounded: the oldest records of the largest partition go first', async () => {
    const log = new MemoryLog({ bytesMax: 1_000_000 });
    const topic = await freshTopic(log, 1);
    const appender = log.appender(plain(topic));
    for (let i = 0; i < 40; i += 1) await appender.append(0, `k:${'x'.repeat(100_000)}`, 100_002);
    const { start, end } = await log.bounds(topic, 0);
    expect(end).toBe(40);
    expect(end - start).toBeLessThanOrEqual(10);
    await log.close();
  });

  test('a compacted topic keeps the newest record of each key and its offsets', async () => {
    const log = new MemoryLog();
    const topic = await freshTopic(log, 1, { 'cleanup.policy': 'compact' });
    const appender = log.appender(plain(topic));
    await Promise.all(Array.from({ length: 5000 }, (_, i) => appender.append(0, `k${i % 5}:${i}`, 8)));
    const { records, nextOffset } = await log.scan(topic, 0, 0);
    expect(records.length).toBeLessThan(1200);
    expect(nextOffset).toBe(5000);
    expect(records.slice(-5).map(({ value }) => String(value))).toEqual([0, 1, 2, 3, 4].map((i) => `k${i}:${4995 + i}`));
    await log.close();
  });
});
