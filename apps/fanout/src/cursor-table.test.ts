import { cursorText, parseCursor } from '@rivulet/protocol';
import { MemoryLog } from '@rivulet/log';
import { eventually } from '../../../test/support/eventually';
import { VirtualTime } from '../../../test/support/virtual-time';
import { CursorTable } from './cursor-table';
import { SessionCursors } from './session-cursors';

const TOPIC = 'test.cursors';
const STREAM_NO = '20d2125e6h820nmsma8x7sk8y9zj2htf';
const nothing = (): void => undefined;

/** A table that follows a log, and another client that writes to it. */
async function following(isAway = false) {
  const time = new VirtualTime();
  const shared = new MemoryLog();
  await shared.createTopics([{ topic: TOPIC, partitions: 1, replication: 1, settings: {} }]);
  const [log, other] = [new MemoryLog({}, shared), new MemoryLog({}, shared)];
  log.faults.isAway = isAway;
  const errors: object[] = [];
  const logger = { debug: nothing, info: nothing, warn: nothing, error: (facts: object) => void errors.push(facts) };
  const writer = new SessionCursors({ log: other, topic: TOPIC, time, logger, idleMs: 1_000, appendMsMax: 1_000 });
  const confirm = (session: string, cursor: string): Promise<number> =>
    writer.writeConfirmed(0, STREAM_NO, session, { cursor: parseCursor(cursor) });
  const table = new CursorTable({ log, topic: TOPIC, partition: 0, time, logger });
  const known = (session: string): string | null => {
    const confirmed = table.fold.find(STREAM_NO, session)?.confirmed ?? null;
    return confirmed && cursorText(confirmed);
  };
  const stop = async (): Promise<void> => {
    table.close();
    for (const one of [log, other, shared]) await one.close();
  };
  return { time, log, other, table, confirm, known, errors, stop };
}

test('a table made while the log is away says so to who asks, and follows when it is back', async () => {
  const { time, log, table, confirm, known, stop } = await following(true);
  await confirm('s', '1.1');
  await expect(table.caughtUp()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  const reached = table.reached(1);
  log.faults.isAway = false;
  await eventually(() => {
    time.advance(500);
    expect(known('s')).toBe('1.1');
  });
  await reached;
  await stop();
});

test('a table that retention has passed by keeps what it knows and goes on with what is left', async () => {
  const { log, other, table, confirm, known, stop } = await following();
  await confirm('s', '1.1');
  await table.caughtUp();
  log.faults.isAway = true;
  for (const cursor of ['1.2', '1.3']) await confirm('s', cursor);
  await confirm('t', '1.9');
  other.truncate(TOPIC, 0, 3);
  log.faults.isAway = false;
  await eventually(() => expect(known('t')).toBe('1.9'));
  expect(known('s')).toBe('1.1');
  await table.caughtUp();
  await stop();
});

test('[OWN-7] a record that cannot be read is logged and passed over', async () => {
  const { other, table, confirm, known, errors, stop } = await following();
  const raw = other.appender<string>({
    topic: TOPIC, class: 'control', queueBytesMax: 1e6, batchBytesMax: 1e6, batchEntriesMax: 10, deadlineMs: 1_000,
    encode: (keys) => keys.map((key) => ({ key, value: Buffer.from('{'), entries: 1 })),
  });
  await confirm('s', '1.1');
  for (const key of ['poison', `${STREAM_NO}/confirmed/s`]) await raw.append(0, key, 1);
  await confirm('s', '1.2');
  await table.caughtUp();
  expect([known('s'), errors.length]).toEqual(['1.2', 2]);
  await stop();
});
