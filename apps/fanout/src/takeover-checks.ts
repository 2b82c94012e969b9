import type { LifecycleValue, OwnerValue } from '@rivulet/protocol';
import type { Bounds } from '@rivulet/log';
import { recordWithin } from './log-place';
import type { LogPlace } from './log-place';

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
  place: LogPlace, clusterId: string, owner: OwnerValue | null, open: Iterable<LifecycleValue>,
): Promise<TakeoverReport> {
  const { log, topic, partition } = place;
  const bounds = await log.bounds(topic, partition);
  const reference = owner === null ? null : parseLogId(owner.logId);
  const isOtherCluster = reference !== null && reference.clusterId !== clusterId;
  const isOtherLog = isOtherCluster || (reference !== null && await isReplaced(place, reference, bounds));
  const isTruncated = owner !== null && (owner.replayFrom > bounds.end || (reference !== null && reference.offset >= bounds.end));
  const lost = new Map<string, string>();
  for (const value of open) {
    const why = isOtherLog ? 'the log is another one than that of its records'
      : await lossOf(place, value, owner, bounds, isTruncated);
    if (why !== null) lost.set(value.streamNo, why);
  }
  return { bounds, isOtherLog, lost };
}

/** Whether the record by which the last owner knew the log is another one now. */
async function isReplaced(place: LogPlace, reference: LogReference, bounds: Bounds): Promise<boolean> {
  // Gone, not replaced: the streams are looked at one by one.
  if (reference.offset < bounds.start || reference.offset >= bounds.end) return false;
  const record = await recordWithin(place, reference.offset);
  return record !== null && record.timestamp !== reference.timestamp;
}

async function lossOf(
  place: LogPlace, value: LifecycleValue, owner: OwnerValue | null, bounds: Bounds, isTruncated: boolean,
): Promise<string | null> {
  const foldedTo = value.checkpoint?.offset ?? value.openedOffset - 1;
  if (foldedTo >= bounds.end) return `the log ends at ${bounds.end}, before its checkpoint at ${foldedTo}`;
  // Its replay may have to begin anywhere from replayFrom on, so a log that starts later may lack records of it.
  const replayStart = Math.max(foldedTo + 1, owner?.replayFrom ?? 0);
  if (replayStart < bounds.start) return `the log starts at ${bounds.start}, after its replay at ${replayStart}`;
  // The log has lost its end. A topic made anew looks the same, so the record that opened the stream has to be there.
  if (isTruncated && value.openedOffset >= bounds.start) {
    const record = value.openedOffset < bounds.end ? await recordWithin(place, value.openedOffset) : null;
    if (record?.key !== value.streamNo) return `the record at ${value.openedOffset} that opened it is not there`;
  }
  return null;
}
