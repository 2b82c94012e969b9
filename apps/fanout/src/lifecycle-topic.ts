import type { Appender, Log } from '@rivulet/log';

/** One value for the lifecycle topic; null: a tombstone. */
export interface LifecycleRecord { key: string; value: Uint8Array | null }

const MIB = 1024 * 1024;

/** The one appender of lifecycle values of an instance. They are JSON made here, so the encoding is only their packing. */
export function lifecycleAppender(log: Log, topic: string, deadlineMs: number): Appender<LifecycleRecord> {
  return log.appender<LifecycleRecord>({
    topic,
    class: 'control',
    encode: (records) => records.map(({ key, value }) => ({ key, value, entries: 1 })),
    // A takeover publishes all streams of a partition at once; the writer keeps one flush in flight, so this bounds a flush.
    queueBytesMax: 64 * MIB,
    batchBytesMax: 512 * 1024,
    batchEntriesMax: 500,
    deadlineMs,
  });
}
