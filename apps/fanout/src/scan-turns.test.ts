import { MemoryLog } from '@rivulet/log';
import type { LogBatch } from '@rivulet/log';
import { ScanTurns } from './scan-turns';
import type { ScanTurn } from './scan-turns';

const TOPIC = 'turns';
let log: MemoryLog;
let scans: number[];
let release: () => void;

/** A log that answers a scan only when it is released. */
beforeEach(async () => {
  log = new MemoryLog();
  await log.createTopics([{ topic: TOPIC, partitions: 1, replication: 1, settings: {} }]);
  scans = [];
  let gate = new Promise<void>((resolve) => { release = resolve; });
  const { scan } = log;
  log.scan = async (topic, partition, from, options) => {
    scans.push(from);
    await gate;
    gate = Promise.resolve();
    return scan.call(log, topic, partition, from, options);
  };
});
afterEach(() => log.close());

const turn = (from: number, isWanted = true): ScanTurn => ({ partition: 0, from, bytesMax: 1024, isWanted: () => isWanted });
const turns = (concurrentMax: number): ScanTurns => new ScanTurns({ log, topic: TOPIC, concurrentMax });

test('[WATCH-4] a thousand readers that wait for the same stretch of the log cost one scan, and each gets it', async () => {
  const line = turns(1);
  const given: LogBatch[] = [];
  const first = line.take(turn(0), (batch) => given.push(batch));
  const others = Array.from({ length: 1_000 }, () => line.take(turn(0), (batch) => given.push(batch)));
  release();
  await Promise.all([first, ...others]);
  expect(scans).toEqual([0, 0]);
  expect(given).toHaveLength(1_001);
});

test('a reader that fails with its batch fails alone', async () => {
  const line = turns(1);
  const busy = line.take(turn(0), () => undefined);
  const failing = line.take(turn(0), () => { throw new Error('mine'); });
  const fine = line.take(turn(0), () => undefined);
  release();
  await expect(failing).rejects.toThrow('mine');
  await Promise.all([busy, fine]);
});

test('[WATCH-4] stretches take turns in the order in which they were asked for, and what nobody wants any more is not read', async () => {
  const line = turns(1);
  const order: number[] = [];
  const reading = [0, 30, 10, 20].map((from) => line.take(turn(from, from !== 10), () => order.push(from)));
  release();
  await Promise.all(reading);
  expect(order).toEqual([0, 30, 20]);
  expect(scans).toEqual([0, 30, 20]);
});

test('a scan that fails fails all who waited for it, and the line goes on', async () => {
  const line = turns(1);
  log.faults.isAway = true;
  const first = line.take(turn(0), () => undefined);
  const second = line.take(turn(1), () => undefined);
  release();
  await expect(first).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  await expect(second).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  log.faults.isAway = false;
  await line.take(turn(0), () => undefined);
});

test('[WATCH-4] a thousand readers that come back at once ask for the bounds of the log twice: who came after the first question left too', async () => {
  const { bounds } = log;
  let asked = 0;
  log.bounds = (topic, partition) => {
    asked += 1;
    return bounds.call(log, topic, partition);
  };
  const line = turns(1);
  const found = await Promise.all(Array.from({ length: 1_000 }, () => line.bounds(0)));
  expect(asked).toBe(2);
  expect(found).toHaveLength(1_000);
});
