import type { LogBatch } from '@rivulet/log';
import type { OwnerContext } from './owner-context';
import { PartitionOwner } from './partition-owner';
import type { Timer } from './time';

/** What the owners need to know of their group membership. */
export interface Group {
  isJoined(): boolean;
  /** Partitions that the group has given to this instance. */
  assigned(): number[];
  /** Monotonic ms of the last successful heartbeat. */
  heartbeatAt(): number;
  /** Takes the partition anew: revoked, then assigned. */
  restart(partition: number): void;
  /** Every partition is revoked, and moves on, when it resolves. */
  leave(): Promise<void>;
}

/** The partition owners of this instance: what the group has given it to write. */
export class Owners {
  private readonly owners = new Map<number, PartitionOwner>();
  private readonly starts = new Map<number, Promise<unknown>>();
  private onServing: (partition: number) => void = () => undefined;
  private group: Group | null = null;
  private ticking: Timer | null = null;
  private hasBegun = false;
  private isStopped = false;

  constructor(private readonly context: OwnerContext) {}

  /** From now on clocks run. */
  start(group: Group): void {
    this.group = group;
    this.scheduleTick();
  }

  /** Set once, by who serves readers: told of each partition that an owner begins to serve. */
  whenServing(onServing: (partition: number) => void): void {
    this.onServing = onServing;
  }

  /** The owner of a partition here, in whatever phase. */
  find(partition: number): PartitionOwner | undefined {
    return this.owners.get(partition);
  }

  /** Resolves when an owner that is starting serves, or will not; undefined when none is. */
  starting(partition: number): Promise<unknown> | undefined {
    return this.starts.get(partition)?.catch(() => undefined);
  }

  /** @returns the offset to read from. @throws StreamError when it cannot be taken over now; it is to be assigned again */
  async assigned(partition: number): Promise<number> {
    this.owners.get(partition)?.stop();
    const owner = new PartitionOwner(partition, this.context);
    this.owners.set(partition, owner);
    const starting = owner.start();
    this.starts.set(partition, starting);
    try {
      const from = await starting;
      this.onServing(partition);
      return from;
    } finally {
      if (this.starts.get(partition) === starting) this.starts.delete(partition);
    }
  }

  /** The owner publishes nothing any more when this returns. */
  revoked(partition: number): void {
    const owner = this.owners.get(partition);
    if (owner === undefined) return;
    // Forgotten first: its readers look for another replica as soon as they are told.
    this.owners.delete(partition);
    owner.stop();
  }

  async fold(batch: LogBatch): Promise<void> {
    await this.owners.get(batch.partition)?.fold(batch);
  }

  /**
   * @returns null when this instance has joined and begun to serve what it was given, else what is missing. Only the first time: later,
   *   followers serve readers while a partition is taken over [OWN-8], and an instance that is asked for nothing would help nobody
   */
  whyNotReady(): string | null {
    if (!this.group?.isJoined()) return 'the consumer group is not joined yet';
    if (this.hasBegun) return null;
    const missing = this.group.assigned().filter((partition) => this.owners.get(partition)?.phase !== 'serving');
    this.hasBegun = missing.length === 0;
    return this.hasBegun ? null : `partitions not caught up yet: ${missing.sort((a, b) => a - b).join(', ')}`;
  }

  servedPartitions(): number[] {
    return [...this.owners.values()].filter(({ phase }) => phase === 'serving').map(({ partition }) => partition);
  }

  get ownedPartitions(): number {
    return this.sum((owner) => (owner.phase === 'serving' ? 1 : 0));
  }

  get openStreams(): number {
    return this.sum((owner) => owner.replica.table.openCount);
  }

  get finishedStreams(): number {
    return this.sum((owner) => owner.replica.table.finished.size);
  }

  get foldLag(): number {
    return this.sum((owner) => owner.replica.lag);
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
