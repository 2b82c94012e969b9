import { parseStreamNo, StreamError } from '@rivulet/protocol';
import type { StreamSummary } from '@rivulet/protocol';
import type { LogBatch } from '@rivulet/log';
import { OpenStream } from './open-stream';
import type { OwnerContext } from './owner-context';
import { PartitionOwner } from './partition-owner';
import type { StreamEntry, StreamSource } from './stream-source';
import type { Timer } from './time';

/** What the owners need to know of their group membership. */
export interface Group {
  isJoined(): boolean;
  /** Monotonic ms of the last successful heartbeat. */
  heartbeatAt(): number;
  /** Takes the partition anew: revoked, then assigned. */
  restart(partition: number): void;
  /** Every partition is revoked, and moves on, when it resolves. */
  leave(): Promise<void>;
}

const RETRY_AFTER_MS = 500;

/** The partition owners of this instance, and through them all streams it can serve. */
export class Owners implements StreamSource {
  private readonly owners = new Map<number, PartitionOwner>();
  private group: Group | null = null;
  private ticking: Timer | null = null;
  private isStopped = false;

  constructor(private readonly context: OwnerContext) {}

  /** From now on clocks run. */
  start(group: Group): void {
    this.group = group;
    this.scheduleTick();
  }

  /** @returns the offset to read from. @throws StreamError when it cannot be taken over now; it is to be assigned again */
  async assigned(partition: number): Promise<number> {
    this.owners.get(partition)?.stop();
    const owner = new PartitionOwner(partition, this.context);
    this.owners.set(partition, owner);
    return owner.start();
  }

  /** The owner publishes nothing any more when this returns. */
  revoked(partition: number): void {
    this.owners.get(partition)?.stop();
    this.owners.delete(partition);
  }

  async fold(batch: LogBatch): Promise<void> {
    await this.owners.get(batch.partition)?.fold(batch);
  }

  async open(streamNo: string): Promise<StreamEntry> {
    return this.ownerOf(streamNo).open(streamNo);
  }

  release(entry: StreamEntry): void {
    if (entry instanceof OpenStream && !entry.isOrphaned) this.owners.get(entry.partition)?.release(entry);
  }

  async summary(streamNo: string): Promise<StreamSummary> {
    const owner = this.ownerOf(streamNo);
    const stream = await owner.open(streamNo);
    try {
      return stream.summary();
    } finally {
      this.release(stream);
    }
  }

  async caughtUp(partition: number): Promise<void> {
    await this.owner(partition).caughtUp();
  }

  channel(channel: string, onStream: (streamNo: string) => void): { present: string[]; stop: () => void } {
    return this.context.channels.follow(channel, onStream);
  }

  get ready(): boolean {
    return this.whyNotReady() === null;
  }

  /** @returns null when every partition assigned to this instance is served, else what is missing */
  whyNotReady(): string | null {
    if (!this.group?.isJoined()) return 'the consumer group is not joined yet';
    const starting = [...this.owners.values()].filter((owner) => owner.phase !== 'serving').map((owner) => owner.partition);
    return starting.length === 0 ? null : `partitions not caught up yet: ${starting.sort((a, b) => a - b).join(', ')}`;
  }

  get ownedPartitions(): number {
    return this.sum((owner) => (owner.phase === 'serving' ? 1 : 0));
  }

  get openStreams(): number {
    return this.sum((owner) => owner.table.openCount);
  }

  get finishedStreams(): number {
    return this.sum((owner) => owner.table.finished.size);
  }

  get foldLag(): number {
    return this.sum((owner) => owner.foldLag);
  }

  get replayBytes(): number {
    return this.sum((owner) => owner.replayBytes);
  }

  /** Publishes checkpoints of everything: the next owners have next to nothing to replay. */
  async handOver(): Promise<void> {
    await Promise.all([...this.owners.values()].map((owner) => owner.handOver()));
  }

  /** Out of the group first: a partition assigned after the owners have stopped would be taken over once more. */
  async leave(): Promise<void> {
    try {
      await this.group?.leave();
    } finally {
      this.stop();
    }
  }

  stop(): void {
    this.isStopped = true;
    this.ticking?.cancel();
    for (const partition of [...this.owners.keys()]) this.revoked(partition);
  }

  private ownerOf(streamNo: string): PartitionOwner {
    const parts = parseStreamNo(streamNo);
    if (parts === null) throw new StreamError('STREAM_NO_NOT_ISSUED');
    return this.owner(parts.partition);
  }

  private owner(partition: number): PartitionOwner {
    const owner = this.owners.get(partition);
    if (owner !== undefined) return owner;
    if (this.group?.isJoined()) throw new StreamError('NOT_OWNER', { partition, retryAfterMs: RETRY_AFTER_MS });
    throw new StreamError('NOT_READY', { detail: 'This instance has no partitions yet.', partition, retryAfterMs: RETRY_AFTER_MS });
  }

  private scheduleTick(): void {
    this.ticking = this.context.time.after(this.context.settings.tickMs, () => {
      if (this.isStopped) return;
      for (const owner of this.owners.values()) this.tick(owner);
      this.scheduleTick();
    });
  }

  private tick(owner: PartitionOwner): void {
    // [OWN-2] Fenced, but a later heartbeat says that the partition is ours: it is claimed again, from the beginning.
    const isOurs = owner.phase === 'fenced' && this.group !== null && this.group.heartbeatAt() > owner.fencedAt;
    if (!isOurs) return owner.tick();
    this.owners.delete(owner.partition);
    this.group?.restart(owner.partition);
  }

  private sum(count: (owner: PartitionOwner) => number): number {
    let total = 0;
    for (const owner of this.owners.values()) total += count(owner);
    return total;
  }
}
