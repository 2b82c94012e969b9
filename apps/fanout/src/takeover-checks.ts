import { StreamError } from '@rivulet/protocol';
import type { LifecycleValue, OwnerValue } from '@rivulet/protocol';
import type { Bounds, Log, StoredRecord } from '@rivulet/log';

/** What a new owner finds wrong with the log it is to go on from [OWN-5]. */
export interface TakeoverReport {
  bounds: Bounds;
  /** Another cluster, or the topic was made anew: no offset of before means anything. */
  isOtherLog: boolean;
  /** Streams whose records are gone, and why. */
  lost: Map<string, string>;
}

export interface LogReference { clusterId: string; offset: number; timestamp: number }

/** Names a log by its cluster and one record of it. Without a record (nothing folded yet) the cluster alone. */
export function formatLogId({ clusterId, offset, timestamp }: LogReference): string {
  return offset < 0 ? `${clusterId}:` : `${clusterId}:${offset}:${timestamp}`;
}

export function parseLogId(logId: string): LogReference | null {
  const match = /^(.*?):(?:(\d+):(\d+))?$/.exec(logId);
  if (match === null) return null;
  return { clusterId: match[1]!, offset: match[2] === undefined ? -1 : Number(match[2]), timestamp: Number(match[3] ?? 0) };
}

/** @param open lifecycle values of the streams that are not final */
export async function checkTakeover(
  log: Log, topic: string, partition: number, owner: OwnerValue | null, open: Iterable<LifecycleValue>,
): Promise<TakeoverReport> {
  const bounds = await log.bounds(topic, partition);
  const reference = owner === null ? null : parseLogId(owner.logId);
  const isOtherLog = reference !== null && (reference.clusterId !== await log.clusterId() || await isReplaced(log, topic, partition, reference, bounds));
  const isTruncated = owner !== null && (owner.replayFrom > bounds.end || (reference !== null && reference.offset >= bounds.end));
  const lost = new Map<string, string>();
  for (const value of open) {
    const why = isOtherLog ? 'the log is another one than that of its records'
      : await lossOf(log, topic, partition, value, owner, bounds, isTruncated);
    if (why !== null) lost.set(value.streamNo, why);
  }
  return { bounds, isOtherLog, lost };
}

/** Whether the record by which the last owner knew the log is another one now. */
async function isReplaced(log: Log, topic: string, partition: number, reference: LogReference, bounds: Bounds): Promise<boolean> {
  if (reference.offset < bounds.start || reference.offset >= bounds.end) return false; // gone, not replaced: the streams are asked one by one
  const record = await recordAt(log, topic, partition, reference.offset);
  return record?.timestamp !== reference.timestamp;
}

async function lossOf(
  log: Log, topic: string, partition: number, value: LifecycleValue, owner: OwnerValue | null, bounds: Bounds, isTruncated: boolean,
): Promise<string | null> {
  const foldedTo = value.checkpoint?.offset ?? value.openedOffset - 1;
  if (foldedTo >= bounds.end) return `the log ends at ${bounds.end}, before its checkpoint at ${foldedTo}`;
  // Its replay may have to begin anywhere from replayFrom on, so a log that starts later may lack records of it.
  const replayStart = Math.max(foldedTo + 1, owner?.replayFrom ?? 0);
  if (replayStart < bounds.start) return `the log starts at ${bounds.start}, after its replay at ${replayStart}`;
  // The log has lost its end. A topic made anew looks the same, so the record that opened the stream has to be there.
  if (isTruncated && value.openedOffset >= bounds.start) {
    const record = await recordAt(log, topic, partition, value.openedOffset);
    if (record?.key !== value.streamNo) return `the record at ${value.openedOffset} that opened it is not there`;
  }
  return null;
}

/** The record at an offset, or undefined when there is none; its value must not be kept. */
export async function recordAt(log: Log, topic: string, partition: number, offset: number): Promise<StoredRecord | undefined> {
  try {
    const batch = await log.scan(topic, partition, offset, { bytesMax: 1 });
    return batch.records.find((record) => record.offset === offset);
  } catch (error) {
    if (error instanceof StreamError && error.code === 'CURSOR_EXPIRED') return undefined;
    throw error;
  }
}
