import { StreamError } from '@rivulet/protocol';
import type { Log, StoredRecord } from '@rivulet/log';

/** One partition of one topic. */
export interface LogPlace { log: Log; topic: string; partition: number }

/** @returns the record at an offset, or undefined when there is none (any more); its value must be copied to be kept */
export async function recordAt({ log, topic, partition }: LogPlace, offset: number): Promise<StoredRecord | undefined> {
  try {
    const batch = await log.scan(topic, partition, offset, { bytesMax: 1 });
    return batch.records.find((record) => record.offset === offset);
  } catch (error) {
    if (error instanceof StreamError && error.code === 'CURSOR_EXPIRED') return undefined;
    throw error;
  }
}
