import { formatLogId } from './takeover-checks';
import type { OwnerLogger } from './dead-letters';
import type { LifecycleWriter } from './lifecycle-writer';
import type { PartitionFold } from './partition-fold';
import type { ReplayMarks } from './replay-marks';
import type { Time } from './time';

export interface CheckpointOptions {
  partition: number;
  /** Bytes a new owner may have to replay at most. */
  replayBytesMax: number;
  /** A start older than this is checkpointed too, ms: records must not reach the end of the topic's retention while a replay needs them. */
  ageMsMax: number;
  /** `#owner` is rewritten at least this often while replayFrom moves, ms. */
  ownerMsMax: number;
  instance: string;
  address: string;
  clusterId: string;
  fold: PartitionFold;
  marks: ReplayMarks;
  writer: LifecycleWriter;
  time: Time;
  logger: OwnerLogger;
}

/** Asked for above this part of replayBytesMax, so that the flush and the `#owner` value are durable well before the bound. */
const CHECKPOINT_PART = 0.25;
/** A new `#owner` value once it saves this part. */
const OWNER_PART = 0.25;

/**
 * Keeps what a new owner has to replay under replayBytesMax [OWN-3]: streams that hold `replayFrom` back are checkpointed, oldest first,
 * and when lifecycle has them, `#owner` is written with the new replayFrom. Always in that order: a replay that starts later
 * than a stream needs would lose records.
 */
export class Checkpoints {
  /** As acknowledged in `#owner`. */
  publishedReplayFrom: number;
  private publishedBytes = 0;
  private publishedAt: number;
  private isPublishing = false;

  constructor(private readonly options: CheckpointOptions, replayFrom: number) {
    this.publishedReplayFrom = replayFrom;
    this.publishedAt = options.time.now();
  }

  /** Where a replay would have to start by what is acknowledged now. */
  get replayFrom(): number {
    return this.options.marks.first?.offset ?? this.options.fold.next;
  }

  /** What a takeover at this moment would replay, bytes. */
  get replayBytes(): number {
    return this.options.fold.bytes - this.publishedBytes;
  }

  /** Looks what is due; called after each batch and on each tick. */
  sweep(): void {
    const { marks, fold, writer, time, replayBytesMax, ageMsMax } = this.options;
    const bytes = fold.bytes - replayBytesMax * CHECKPOINT_PART;
    const at = time.now() - ageMsMax;
    const first = marks.first;
    if (first !== undefined && (first.bytesBefore < bytes || first.at < at)) {
      // Half of the way back at once: a flush for every record would follow otherwise.
      for (const stream of marks.heldBackBy(bytes + (replayBytesMax * CHECKPOINT_PART) / 2, at)) {
        if (!stream.isDirty && !stream.isFlying) writer.put(stream);
      }
    }
    if (this.isOwnerDue()) void this.publishOwner();
  }

  /** Writes `#owner` with what holds now. Failing is not fatal: the older replayFrom is still right, only longer to replay. */
  async publishOwner(): Promise<void> {
    if (this.isPublishing) return;
    this.isPublishing = true;
    const { fold, marks, instance, address, clusterId, writer, time, logger, partition } = this.options;
    const replayFrom = this.replayFrom;
    const bytes = marks.first?.bytesBefore ?? fold.bytes;
    const logId = formatLogId({ clusterId, offset: fold.last.offset, timestamp: fold.last.timestamp });
    try {
      await writer.putOwner({ instance, address, replayFrom, logId });
      this.publishedReplayFrom = replayFrom;
      this.publishedBytes = bytes;
    } catch (error) {
      logger.warn({ partition, err: error }, '#owner was not written; trying again');
    } finally {
      this.publishedAt = time.now();
      this.isPublishing = false;
    }
  }

  private isOwnerDue(): boolean {
    const { fold, marks, replayBytesMax, ownerMsMax, time } = this.options;
    if (this.replayFrom === this.publishedReplayFrom) return false;
    const saved = (marks.first?.bytesBefore ?? fold.bytes) - this.publishedBytes;
    return saved > replayBytesMax * OWNER_PART || time.now() - this.publishedAt >= ownerMsMax;
  }
}
