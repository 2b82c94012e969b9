import { decodeLifecycle, isNewer, parseStreamNo, StreamError, topicNames } from '@rivulet/protocol';
import type { LifecycleValue, TopicNames } from '@rivulet/protocol';
import type { Log, LogBatch } from '@rivulet/log';
import type { KafkaPlace } from './settings';

const SCAN_BYTES_MAX = 4 * 1024 * 1024;
const READ_MS_MAX = 15_000;

/** The log of an installation, read by somebody who is none of its processes: nothing is written, no group is joined. */
export interface OpenedLog { log: Log; topics: TopicNames; close(): Promise<void> }

export async function openLogAt({ brokers, topicPrefix }: KafkaPlace): Promise<OpenedLog> {
  // Loaded when it is needed: a `pipe` should not wait for a Kafka client it never uses.
  const { openKafkaLog } = await import('@rivulet/log');
  const log = await openKafkaLog({ brokers, clientId: 'rivulet-cli', readDeadlineMs: READ_MS_MAX });
  try {
    await log.check();
  } catch (cause) {
    await log.close();
    throw new StreamError('LOG_UNAVAILABLE', { detail: `Kafka at ${brokers.join(', ')} does not answer.` }, { cause });
  }
  return { log, topics: topicNames(topicPrefix), close: () => log.close() };
}

/** The partition that a streamNo names. @throws StreamError STREAM_NO_NOT_ISSUED by its shape alone: the keys are with the services */
export function partitionOf(streamNo: string): number {
  const parts = parseStreamNo(streamNo);
  if (parts === null) {
    throw new StreamError('STREAM_NO_NOT_ISSUED', { detail: 'This has not the shape of a streamNo (32 characters of 0-9 and a-z): it was made up or cut off. `rivulet ls` shows those there are.' });
  }
  return parts.partition;
}

export interface Stretch {
  topic: string;
  partition: number;
  from: number;
  until: number;
  /** Whether Kafka's checksums are checked. */
  isChecked?: boolean;
}

/** Everything of a partition from an offset up to another, in order. The records are lent until the next batch is asked for. */
export async function* batchesOf(log: Log, stretch: Stretch, onProgress?: (offset: number) => void): AsyncGenerator<LogBatch> {
  const { topic, partition, from, until, isChecked } = stretch;
  for (let next = from; next < until; ) {
    const batch = await log.scan(topic, partition, next, { bytesMax: SCAN_BYTES_MAX, isChecked });
    // An offset below the end that shows nothing: the replicas are between two leaders, or the log was cut meanwhile.
    if (batch.nextOffset <= next) throw new StreamError('LOG_UNAVAILABLE', { detail: `${topic} ${partition} shows nothing at offset ${next}; try again.` });
    yield { ...batch, records: batch.records.filter(({ offset }) => offset < until) };
    next = batch.nextOffset;
    onProgress?.(next);
  }
}

export interface FoundLifecycle { value: LifecycleValue | null; offset: number; isRemoved: boolean; unreadableAt: number[] }

/** The newest lifecycle value of a stream [OWN-2]: by version, never by place. */
export async function lifecycleOf({ log, topics }: OpenedLog, streamNo: string, partition: number): Promise<FoundLifecycle> {
  const { start, end } = await log.bounds(topics.lifecycle, partition);
  const found: FoundLifecycle = { value: null, offset: -1, isRemoved: false, unreadableAt: [] };
  for await (const { records } of batchesOf(log, { topic: topics.lifecycle, partition, from: start, until: end })) {
    for (const { key, value, offset } of records) if (key === streamNo) take(found, value, offset);
  }
  return found;
}

function take(found: FoundLifecycle, bytes: Buffer | null, offset: number): void {
  if (bytes === null) {
    Object.assign(found, { value: null, offset, isRemoved: true });
    return;
  }
  try {
    const value = decodeLifecycle(bytes);
    if (found.value !== null && !isNewer(value.version, found.value.version)) return;
    Object.assign(found, { value, offset, isRemoved: false });
  } catch {
    found.unreadableAt.push(offset);
  }
}
