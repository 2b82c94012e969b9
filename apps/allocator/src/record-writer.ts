import type { Appender, Log } from '@rivulet/log';
import { encodeRecord } from '@rivulet/protocol';
import type { LogRecord } from '@rivulet/protocol';

interface Written { streamNo: string; value: Uint8Array }

const BATCH_BYTES_MAX = 524_288;
const BATCH_ENTRIES_MAX = 500;

/** Writes `open`, `retry` and `cancel` records. Its own producer class: control never waits behind fragments. */
export class RecordWriter {
  private readonly appender: Appender<Written>;

  constructor(log: Log, topic: string, limits: { queueBytesMax: number; writeMsMax: number }) {
    this.appender = log.appender<Written>({
      topic, class: 'control',
      encode: (entries) => entries.map(({ streamNo, value }) => ({ key: streamNo, value, entries: 1 })),
      queueBytesMax: limits.queueBytesMax, batchBytesMax: BATCH_BYTES_MAX, batchEntriesMax: BATCH_ENTRIES_MAX,
      deadlineMs: limits.writeMsMax,
    });
  }

  /** @returns offset, once it is durable. @throws StreamError OVERLOADED, LOG_UNAVAILABLE */
  async write(streamNo: string, partition: number, record: LogRecord): Promise<number> {
    const value = encodeRecord(record);
    return (await this.appender.append(partition, { streamNo, value }, value.byteLength + streamNo.length)).offset;
  }

  flush(): Promise<void> {
    return this.appender.flush();
  }

  close(): Promise<void> {
    return this.appender.close();
  }
}
