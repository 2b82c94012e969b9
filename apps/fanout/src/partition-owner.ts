import type { LogBatch } from '@rivulet/log';
import { Checkpoints } from './checkpoints';
import { Clocks } from './clocks';
import { Horizon } from './horizon';
import { LifecycleGuard } from './lifecycle-guard';
import { LifecycleWriter } from './lifecycle-writer';
import type { OwnerContext } from './owner-context';
import { PartitionFold } from './partition-fold';
import { replayTo } from './replay';
import { ReplayMarks } from './replay-marks';
import { Replica } from './replica';
import { takeOver } from './takeover';
import type { Takeover } from './takeover';
import { Tombstones } from './tombstones';

/**
 * The owner of one partition, from assigned to revoked.
 *
 * `starting`: restores, claims, replays up to the log end seen after the claim; publishes nothing and serves nobody.
 * `serving`:  folds what comes, publishes, runs clocks, serves sessions.
 * `fenced`:   saw a higher claim: the same as stopped, until a later heartbeat says that the partition is ours after all [OWN-2].
 * `stopped`:  revoked. Its streams are orphans: their sessions move on to another replica [OWN-9].
 * One object lives once; a new assignment makes a new one.
 */
export type OwnerPhase = 'starting' | 'serving' | 'fenced' | 'stopped';

/** What folds and publishes. */
interface Core {
  claim: number;
  fold: PartitionFold;
  writer: LifecycleWriter;
  checkpoints: Checkpoints;
  tombstones: Tombstones;
}
/** And what runs only while serving. */
interface Serving extends Core {
  horizon: Horizon;
  clocks: Clocks;
  guard: LifecycleGuard;
}

export class PartitionOwner {
  /** Monotonic ms at which a higher claim was seen. */
  fencedAt = 0;
  readonly replica: Replica;
  private currentPhase: OwnerPhase = 'starting';
  private readonly marks = new ReplayMarks();
  private serving: Serving | null = null;

  constructor(readonly partition: number, private readonly context: OwnerContext) {
    this.replica = new Replica(partition, context);
  }

  get phase(): OwnerPhase {
    return this.currentPhase;
  }

  get replayBytes(): number {
    return this.serving?.checkpoints.replayBytes ?? 0;
  }

  /**
   * @returns the offset from which batches are to be given to fold()
   * @throws StreamError LOG_UNAVAILABLE, NOT_OWNER (revoked meanwhile)
   */
  async start(): Promise<number> {
    const { time, metrics, logger } = this.context;
    const startedAt = time.now();
    const { partition, replica } = this;
    const { table } = replica;
    const assertNotOver = (): void => replica.assertNotOver();
    const takeover = await takeOver(this.context, partition, table, assertNotOver);
    assertNotOver();
    const core = this.build(takeover);
    for (const stream of takeover.ended) {
      metrics.endedAtTakeover(stream.state.final!.reason);
      core.writer.put(stream);
    }
    // [OWN-2] Nothing is published until the fold passes the log end seen after the claim: what a former owner published is below it.
    const { end } = await this.context.log.bounds(this.context.topics.fragments, partition);
    await replayTo(this.context, core.fold, partition, end, assertNotOver);
    // Revoked while the end was asked for, with nothing to replay: it would serve on.
    assertNotOver();
    this.serve(core, takeover);
    const seconds = (time.now() - startedAt) / 1000;
    metrics.restored(seconds);
    // One line per partition is no news when all is well.
    logger[takeover.ended.length > 0 ? 'warn' : 'debug']({
      partition, seconds, claim: takeover.claim, replayFrom: takeover.replayFrom, next: core.fold.next,
      open: table.openCount, finished: table.finished.size, failed: takeover.ended.length,
    }, 'partition is served');
    return core.fold.next;
  }

  /** One batch of the log, in order. The next one comes when this is folded: that is the back-pressure. */
  async fold(batch: LogBatch): Promise<void> {
    const { serving } = this;
    if (serving === null || this.currentPhase !== 'serving') return;
    await this.replica.take(batch);
    // Revoked or fenced meanwhile: the rest of the batch met an empty table, so nothing may say that it is folded [OWN-3].
    if (this.serving !== serving) return;
    serving.horizon.folded(serving.fold.next);
    serving.horizon.observe(batch.highWatermark, this.context.time.now());
    serving.checkpoints.sweep();
  }

  tick(): void {
    const { serving } = this;
    if (serving === null || this.currentPhase !== 'serving') return;
    serving.clocks.tick();
    serving.checkpoints.sweep();
    if (this.replica.table.deleted.size > 0) void serving.tombstones.bury(serving.checkpoints.publishedReplayFrom);
  }

  /** Publishes checkpoints of everything, so that the next owner has next to nothing to replay. */
  async handOver(): Promise<void> {
    const { serving } = this;
    if (serving === null || this.currentPhase !== 'serving') return;
    for (const stream of this.marks.heldBackBy(Infinity, Infinity)) serving.writer.put(stream);
    await serving.writer.flushAll();
    if (this.isOver) return;
    await serving.checkpoints.publishOwner();
  }

  /** Publishes nothing any more when it returns. */
  stop(phase: 'stopped' | 'fenced' = 'stopped'): void {
    if (this.currentPhase === 'stopped') return;
    this.currentPhase = phase;
    const { serving } = this;
    this.serving = null;
    serving?.writer.stop();
    void serving?.guard.close();
    this.replica.end();
  }

  private build(takeover: Takeover): Core {
    const { context, partition, replica, marks } = this;
    const { settings, time } = context;
    const { table } = replica;
    const { claim } = takeover;
    const fold: PartitionFold = new PartitionFold(takeover.replayFrom, {
      ...context, partition, table,
      recall: (streamNo) => replica.finished.findPatiently(streamNo),
      onUncovered: (stream, offset, bytesBefore) => marks.note(stream, offset, bytesBefore, time.now()),
      onPublic: (stream) => writer.put(stream),
      onOpened: (stream) => replica.announce(stream),
    });
    const writer = new LifecycleWriter({
      ...context, appender: context.lifecycle, partition, marks, foldNext: () => fold.next, claim: () => claim,
      onFlushed: (streams) => streams.forEach((stream) => table.dismiss(stream)),
    });
    const checkpoints = new Checkpoints({
      ...context, partition, fold, marks, writer, replayBytesMax: settings.replayBytesMax,
      ageMsMax: settings.checkpointAgeMsMax, ownerMsMax: settings.ownerMsMax, clusterId: takeover.clusterId,
    }, takeover.replayFrom);
    return { claim, fold, writer, checkpoints, tombstones: new Tombstones(partition, table, writer, context.logger) };
  }

  private serve(core: Core, takeover: Takeover): void {
    const { context, partition, replica } = this;
    const { table } = replica;
    const { writer, fold } = core;
    const { time, settings, topics, proposals } = context;
    // Leases start full here: while nobody folded, no producer could prove that it lives [OWN-6].
    const horizon = new Horizon(time.now(), fold.next, settings.pauseMsMax);
    const clocks = new Clocks({ ...context, ...settings, topic: topics.fragments, partition, table, horizon, appender: proposals });
    this.currentPhase = 'serving';
    writer.start();
    this.serving = { ...core, horizon, clocks, guard: this.guard(core) };
    replica.serve(fold, takeover.clusterId);
    if (takeover.report.isOtherLog) void this.settleOtherLog(core);
  }

  private guard({ claim, fold, writer, checkpoints }: Core): LifecycleGuard {
    const { context, partition, replica } = this;
    return new LifecycleGuard({
      ...context, topic: context.topics.lifecycle, partition, claim, table: replica.table,
      foldNext: () => fold.next,
      recall: (streamNo) => replica.finished.findPatiently(streamNo),
      onFenced: (other) => this.fence(claim, other),
      rewrite: (stream) => writer.put(stream),
      rewriteOwner: () => void checkpoints.publishOwner(),
      bury: (streamNo) => {
        writer.putTombstone(streamNo).catch((error: unknown) => context.logger.warn({ partition, streamNo, err: error }, 'a late value was not removed'));
      },
    });
  }

  /** Streams of before keep their facts and lose their content; the new log's identity is published only when lifecycle says so [OWN-5]. */
  private async settleOtherLog({ writer, checkpoints }: Core): Promise<void> {
    const { table, finished } = this.replica;
    for (const streamNo of [...table.finished.keys()]) {
      const stream = await finished.findPatiently(streamNo);
      if (this.isOver) return;
      if (stream === undefined) continue;
      stream.index.dropBelow(Infinity);
      writer.put(stream);
    }
    await writer.flushAll();
    if (!this.isOver) await checkpoints.publishOwner();
  }

  private fence(claim: number, other: number): void {
    if (this.currentPhase !== 'serving') return;
    this.context.logger.warn({ partition: this.partition, claim, other }, 'another owner has a higher claim: stopping');
    this.fencedAt = this.context.time.now();
    this.stop('fenced');
  }

  private get isOver(): boolean {
    return this.replica.isOver;
  }
}
