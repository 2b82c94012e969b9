import { CLAIMING, encodeOwner, failState, OWNER_KEY, PositionIndex, StreamError } from '@rivulet/protocol';
import type { LifecycleValue } from '@rivulet/protocol';
import { rereadHeld } from './held-payloads';
import { OpenStream } from './open-stream';
import type { OwnerContext } from './owner-context';
import { LifecycleRestore } from './restore';
import { bareStateOf, stateOf } from './restored-state';
import type { StreamTable } from './stream-table';
import { checkTakeover } from './takeover-checks';
import type { TakeoverReport } from './takeover-checks';

/** What a replica starts from. */
export interface Restored {
  clusterId: string;
  /** Where the replay begins. */
  replayFrom: number;
  report: TakeoverReport;
  /** Streams that were ended here, for the owner to publish. */
  ended: OpenStream[];
}

/** What a new owner starts from. */
export interface Takeover extends Restored {
  claim: number;
}

/**
 * Restore, claim, check [OWN-2]: the lifecycle partition is read to its end, the claim is written, and what others wrote before the
 * claim is read too. From then on whoever claims later has the higher claim, and readers believe only the highest.
 * @param assertWanted throws when the partition has been revoked
 */
export async function takeOver(
  context: OwnerContext, partition: number, table: StreamTable, assertWanted: () => void,
): Promise<Takeover> {
  const { log, topics, deadLetters, time } = context;
  const restore = new LifecycleRestore(log, topics.lifecycle, partition, deadLetters, time, assertWanted);
  const [clusterId] = await Promise.all([context.cluster.ask(), restore.readAll()]);
  // Revoked meanwhile: a claim written now would be the highest, and stop the owner that follows us.
  assertWanted();
  const claim = await writeClaim(context, partition, restore);
  await restore.readTo(claim);
  return { claim, ...await restoreStreams(context, partition, table, restore, clusterId) };
}

/**
 * Puts into the table what lifecycle knows, checked against the log [OWN-5]; what it does not know is folded from the log next.
 * @param isFoldedAnew of streams whose records the replay meets anyway, from their open on: then what they hold is in memory for readers.
 *   Not for an owner, which would publish them all once more
 */
export async function restoreStreams(
  context: OwnerContext, partition: number, table: StreamTable, restore: LifecycleRestore, clusterId: string, isFoldedAnew = false,
): Promise<Restored> {
  const { log, topics, logger } = context;
  const owner = restore.owner?.value ?? null;
  const open: LifecycleValue[] = [];
  for (const [streamNo, restored] of restore.streams) {
    if (restored.value === null) table.addFinished({ streamNo, partition, openedOffset: restored.openedOffset }, restored.finished);
    else open.push(restored.value);
  }
  const report = await checkTakeover({ log, topic: topics.fragments, partition }, clusterId, owner, open);
  if (report.isOtherLog) {
    logger.error({ partition, logId: owner?.logId, open: open.length }, 'another log than the one of the last owner: its open streams have failed');
  }
  let replayFrom = owner === null || report.isOtherLog ? report.bounds.start : owner.replayFrom;
  const ended: OpenStream[] = [];
  for (const value of open) {
    // Without a checkpoint the stream is folded anew from the record that opened it.
    const isNotNeeded = value.checkpoint === undefined || (isFoldedAnew && value.openedOffset >= replayFrom);
    if (isNotNeeded && !report.lost.has(value.streamNo)) {
      replayFrom = Math.min(replayFrom, value.openedOffset);
      continue;
    }
    const stream = await restoreStream(context, partition, value, restore.streams.get(value.streamNo)!.offset, report);
    table.add(stream);
    if (stream.isFinal) ended.push(stream);
  }
  replayFrom = Math.min(Math.max(replayFrom, report.bounds.start), report.bounds.end);
  return { clusterId, replayFrom, report, ended };
}

async function writeClaim(context: OwnerContext, partition: number, restore: LifecycleRestore): Promise<number> {
  const { instance, address, lifecycle, log, topics } = context;
  const restored = restore.owner?.value;
  const replayFrom = restored?.replayFrom ?? (await log.bounds(topics.fragments, partition)).start;
  const value = encodeOwner({ version: [CLAIMING, replayFrom, 0], instance, address, replayFrom, logId: restored?.logId ?? '' });
  const { offset } = await lifecycle.append(partition, { key: OWNER_KEY, value }, value.byteLength);
  return offset;
}

async function restoreStream(
  context: OwnerContext, partition: number, value: LifecycleValue, lifecycleOffset: number, report: TakeoverReport,
): Promise<OpenStream> {
  const { log, topics, logger, makeView } = context;
  const { streamNo } = value;
  let code: 'LOG_LOST' | 'INTERNAL' = 'LOG_LOST';
  let why = report.lost.get(streamNo) ?? null;
  let state = bareStateOf(value);
  if (why === null) {
    try {
      state = stateOf(value);
      why = await rereadHeld({ log, topic: topics.fragments, partition }, report.bounds, state);
    } catch (error) {
      if (error instanceof StreamError) throw error; // the log does not answer: the whole takeover is tried again
      // [JUDGE-10] A state that cannot be read fails its stream, never the partition.
      code = 'INTERNAL';
      why = `its state cannot be read: ${(error as Error).message}`;
    }
  }
  const positions = new PositionIndex(report.isOtherLog ? [] : value.positions);
  positions.dropBelow(report.bounds.start);
  const stream = new OpenStream(streamNo, partition, state, positions, value.checkpoint?.offset ?? -1, makeView);
  stream.lifecycleOffset = lifecycleOffset;
  stream.verdicts = value.verdicts;
  if (why === null) return stream;
  // The only end that is no record: the log that would hold it is the very thing that was lost. It is published like any other, and sticks.
  logger.error({ partition, streamNo, code, why }, 'a stream has failed at a takeover');
  for (const effect of failState(state, code)) if (effect.kind === 'verdict') stream.addVerdict(effect.verdict);
  return stream;
}
