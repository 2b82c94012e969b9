import type { Appender, Log, StoredRecord } from '@rivulet/log';
import type { OwnershipMetrics } from './ownership-metrics';

export type DeadLetterReason = 'no-value' | 'undecodable' | 'misplaced' | 'lifecycle-undecodable';

/** What owners log: pino's shape, as much as is used here. */
export interface OwnerLogger {
  debug(facts: object, text: string): void;
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

export interface DeadLetterSink {
  put(reason: DeadLetterReason, topic: string, partition: number, record: StoredRecord, cause: unknown): void;
}

interface DeadLetter { key: string; value: Buffer; headers: Record<string, string> }

const QUEUE_BYTES_MAX = 8 * 1024 * 1024;
const DEADLINE_MS = 30_000;
/** Bookkeeping of one dead letter beside its bytes. */
const OVERHEAD_BYTES = 200;

/**
 * Records that cannot be read: kept aside with where they were, counted, and passed over. Nothing stops a partition [OWN-7].
 * A replay meets the same record again: whoever reads dead letters tells them apart by (topic, partition, offset).
 */
export class DeadLetters implements DeadLetterSink {
  private readonly appender: Appender<DeadLetter>;

  constructor(log: Log, topic: string, private readonly metrics: OwnershipMetrics, private readonly logger: OwnerLogger) {
    this.appender = log.appender<DeadLetter>({
      topic,
      class: 'control',
      encode: (letters) => letters.map((letter) => ({ ...letter, entries: 1 })),
      queueBytesMax: QUEUE_BYTES_MAX,
      batchBytesMax: 512 * 1024,
      batchEntriesMax: 500,
      deadlineMs: DEADLINE_MS,
    });
  }

  put(reason: DeadLetterReason, topic: string, partition: number, record: StoredRecord, cause: unknown): void {
    this.metrics.deadLetter(reason);
    const facts = { reason, topic, partition, offset: record.offset };
    this.logger.error({ ...facts, key: record.key.slice(0, 64), err: cause }, 'a record cannot be read: it goes to the dead letters');
    // Copied: the record's bytes are gone when the batch it came in has been folded.
    const value = Buffer.from(record.value ?? Buffer.alloc(0));
    const headers = { reason, topic, partition: String(partition), offset: String(record.offset) };
    const bytes = value.byteLength + record.key.length + OVERHEAD_BYTES;
    this.appender.append(0, { key: record.key, value, headers }, bytes).catch((error: unknown) => {
      // The record itself is still in its topic; where it is has just been logged.
      this.logger.error({ ...facts, err: error }, 'the dead letter could not be written');
    });
  }

  flush(): Promise<void> {
    return this.appender.flush();
  }
}
