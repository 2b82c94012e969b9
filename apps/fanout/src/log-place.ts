import { StreamError } from '@rivulet/protocol';
import type { Log, StoredRecord } from '@rivulet/log';

/** One partition of one topic. */
export interface LogPlace { log: Log; topic: string; partition: number }

const RETRY_AFTER_MS = 500;

/**
 * @returns the record at an offset, its value to be copied to be kept; null when the log goes on behind the offset without it;
 * undefined when it is not to be seen: it is below the log start, or beyond what can be read yet
 */
export async function recordAt({ log, topic, partition }: LogPlace, offset: number): Promise<StoredRecord | null | undefined> {
  try {
    const batch = await log.scan(topic, partition, offset, { bytesMax: 1 });
    return batch.records.find((record) => record.offset === offset) ?? (batch.nextOffset > offset ? null : undefined);
  } catch (error) {
    if (error instanceof StreamError && error.code === 'CURSOR_EXPIRED') return undefined;
    throw error;
  }
}

/**
 * For a record that lies within the bounds of its partition. Not to see it is no proof that it is gone: after a change of leader what can
 * be read lags behind the end for a while, and retention may have taken it since the bounds were seen. To be asked again, then.
 * @throws StreamError LOG_UNAVAILABLE when it is not to be seen
 */
export async function recordWithin(place: LogPlace, offset: number): Promise<StoredRecord | null> {
  const record = await recordAt(place, offset);
  if (record !== undefined) return record;
  const { topic, partition } = place;
  throw new StreamError('LOG_UNAVAILABLE', { detail: `The log does not show offset ${offset} yet.`, topic, partition, retryAfterMs: RETRY_AFTER_MS });
}
