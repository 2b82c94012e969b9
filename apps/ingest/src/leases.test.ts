import { decodeRecord } from '@rivulet/protocol';
import type { BeatRecord } from '@rivulet/protocol';
import { MemoryLog } from '@rivulet/log';
import { eventually } from '../../../test/support/eventually';
import type { Route } from './append-entry';
import { Leases } from './leases';

const route = (streamNo: string, partition: number, epoch = 1): Route =>
  ({ streamNo, partition, epoch, run: '', rules: { merge: 'text', fragmentBytesMax: 1 }, quota: null });

let log: MemoryLog;
let leases: Leases;
beforeEach(async () => {
  log = new MemoryLog();
  await log.createTopics([{ topic: 'f', partitions: 2, replication: 1, settings: {} }]);
  leases = new Leases(log, { topic: 'f', tickMs: 1_000_000, queueBytesMax: 1 << 20, deadlineMs: 200 });
});
afterEach(async () => {
  log.faults.isAway = false;
  await leases.close();
});

async function beats(partition: number): Promise<BeatRecord[]> {
  const { records } = await log.scan('f', partition, 0);
  expect(records.every(({ key }) => key === '#beat')).toBe(true);
  return records.map((record) => decodeRecord(Buffer.from(record.value!)) as BeatRecord);
}

test('[APPEND-7] one beat record per partition names all streams whose connections proved life', async () => {
  const lifeline = leases.connect();
  for (const no of ['a', 'b', 'c']) lifeline.hold(route(no, no === 'c' ? 1 : 0));
  lifeline.prove();
  leases.tick();
  await eventually(async () => expect(await beats(1)).toEqual([{ kind: 'beat', streams: [{ no: 'c', epoch: 1 }] }]));
  expect(await beats(0)).toEqual([{ kind: 'beat', streams: [{ no: 'a', epoch: 1 }, { no: 'b', epoch: 1 }] }]);
});

test('[APPEND-7] without a new proof there is no beat, however long the connection is open', () => {
  const lifeline = leases.connect();
  lifeline.hold(route('a', 0));
  lifeline.prove(100);
  expect(lifeline.due(200)).toHaveLength(1);
  expect(lifeline.due(300)).toHaveLength(0);
  lifeline.prove(400);
  expect(lifeline.due(500)).toHaveLength(1);
});

test('[APPEND-7] an append written after the proof renews the lease by itself', () => {
  const lifeline = leases.connect();
  for (const no of ['busy', 'idle']) lifeline.hold(route(no, 0));
  lifeline.prove(100);
  lifeline.wrote('busy', 101);
  expect(lifeline.due(200).map(({ streamNo }) => streamNo)).toEqual(['idle']);
});

test('a stream that left its connection gets no beat', () => {
  const lifeline = leases.connect();
  lifeline.hold(route('a', 0));
  lifeline.prove(100);
  lifeline.release('a');
  expect(lifeline.due(200)).toEqual([]);
});

test('a beat that could not be written is counted, and harms nothing', async () => {
  log.faults.isAway = true;
  const lifeline = leases.connect();
  lifeline.hold(route('a', 0));
  lifeline.prove();
  leases.tick();
  await eventually(() => expect(leases.lostBeats).toBe(1));
  await expect(leases.beat(route('a', 0))).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
});
