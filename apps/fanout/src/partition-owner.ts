import { StreamError } from '@rivulet/protocol';
import type { LogBatch } from '@rivulet/log';
import { Checkpoints } from './checkpoints';
import { Clocks } from './clocks';
import { FinishedReader } from './finished-reader';
import { Horizon } from './horizon';
import { LifecycleFollower } from './lifecycle-follower';
import { LifecycleWriter } from './lifecycle-writer';
import { LogEnd } from './log-end';
import type { OpenStream } from './open-stream';
import type { OwnerContext } from './owner-context';
import { PartitionFold } from './partition-fold';
import { ReplayMarks } from './replay-marks';
import { Stall } from './stall';
import { StreamTable } from './stream-table';
import { takeOver } from './takeover';
import type { Takeover } from './takeover';
import { Tombstones } from './tombstones';

/**
 * The owner of one partition, from assigned to revoked.
 *
 * `starting`: restores, claims, replays up to the log end seen after the claim; publishes nothing and serves nobody.
 * `serving`:  folds what comes, publishes, runs clocks, serves sessions.
 * `fenced`:   saw a higher claim: the same as stopped, until a later heartbeat says that the partition is ours after all [OWN-2].
 * `stopped`:  revoked. Its streams are orphans: sessions are told and come back to the new owner.
 * One object lives once; a new assignment makes a new one.
 */
export type OwnerPhase = 'starting' | 'serving' | 'fenced' | 'stopped';

const RETRY_AFTER_MS = 500;
const REPLAY_BYTES_MAX = 1024 * 1024;

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
  follower: LifecycleFollower;
}

export class PartitionOwner {
  /** Monotonic ms at which a higher claim was seen. */
  fencedAt = 0;
  readonly table: StreamTable;
  private currentPhase: OwnerPhase = 'starting';
  private readonly marks = new ReplayMarks();
  private readonly logEnd: LogEnd;
  private readonly finished: FinishedReader;
  private serving: Serving | null = null;
  private waiters: { end: number; resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(readonly partition: number, private readonly context: OwnerContext) {
    this.table = new StreamTable(context.channels);
    this.logEnd = new LogEnd(context.log, context.topics.fragments, partition);
    this.finished = new FinishedReader(context, partition, this.table, () => this.isOver);
  }

  get phase(): OwnerPhase {
    return this.currentPhase;
  }

  get foldLag(): number {
    return this.serving?.fold.lag ?? 0;
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
    const takeover = await takeOver(this.context, this.partition, this.table, () => this.assertNotOver());
    this.assertNotOver();
    const core = this.build(takeover);
    for (const stream of takeover.ended) core.writer.put(stream);
    // [OWN-2] Nothing is published until the fold passes the log end seen after the claim: what a former owner published is below it.
    const { end } = await this.context.log.bounds(this.context.topics.fragments, this.partition);
    await this.replay(core.fold, end);
    // Revoked while the end was asked for, with nothing to replay: it would serve on.
    this.assertNotOver();
    this.serve(core, takeover);
    const seconds = (time.now() - startedAt) / 1000;
    metrics.restored(seconds);
    const { partition, table } = this;
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
    await serving.fold.fold(batch);
    serving.horizon.folded(serving.fold.next);
    serving.horizon.observe(batch.highWatermark, this.context.time.now());
    serving.checkpoints.sweep();
    this.wakeWaiters(serving.fold.next);
  }

  tick(): void {
    const { serving } = this;
    if (serving === null || this.currentPhase !== 'serving') return;
    serving.clocks.tick();
    serving.checkpoints.sweep();
    if (this.table.deleted.size > 0) void serving.tombstones.bury(serving.checkpoints.publishedReplayFrom);
  }

  /** @throws StreamError NOT_READY, NOT_OWNER, STREAM_NOT_FOUND, STREAM_GONE, LOG_UNAVAILABLE */
  async open(streamNo: string): Promise<OpenStream> {
    this.assertServing();
    let stream = await this.finished.find(streamNo);
    if (stream === undefined && !this.table.deleted.has(streamNo)) {
      // Opened a moment ago, perhaps: what was acknowledged before this call is judged by then.
      await this.caughtUp();
      stream = await this.finished.find(streamNo);
    }
    this.assertServing();
    if (this.table.deleted.has(streamNo) || stream?.state.isDeleted) throw new StreamError('STREAM_GONE', { streamNo });
    if (stream === undefined) throw new StreamError('STREAM_NOT_FOUND', { streamNo });
    stream.pins += 1;
    return stream;
  }

  release(stream: OpenStream): void {
    stream.pins -= 1;
    this.table.dismiss(stream);
  }

  /** Resolves when the fold has reached the end of the log as it is now. @throws StreamError NOT_READY, NOT_OWNER, LOG_UNAVAILABLE */
  async caughtUp(): Promise<void> {
    this.assertServing();
    const end = await this.logEnd.ask();
    const { fold } = this.assertServing();
    if (fold.next >= end) return;
    await new Promise<void>((resolve, reject) => this.waiters.push({ end, resolve, reject }));
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
    void serving?.follower.close();
    const error = new StreamError('NOT_OWNER', { partition: this.partition, retryAfterMs: RETRY_AFTER_MS });
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
    this.table.orphan();
  }

  private build(takeover: Takeover): Core {
    const { context, partition, table, marks } = this;
    const { settings } = context;
    const { claim } = takeover;
    const fold: PartitionFold = new PartitionFold(takeover.replayFrom, {
      ...context, partition, table, marks,
      recall: (streamNo) => this.finished.findPatiently(streamNo),
      onPublic: (stream) => writer.put(stream),
      onOpened: (stream) => this.announce(stream),
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

  private async replay(fold: PartitionFold, end: number): Promise<void> {
    const { log, topics, time } = this.context;
    const stall = new Stall(time);
    while (fold.next < end) {
      const from = fold.next;
      const batch = await log.scan(topics.fragments, this.partition, from, { bytesMax: REPLAY_BYTES_MAX });
      this.assertNotOver();
      await fold.fold(batch);
      this.assertNotOver();
      await stall.read(fold.next > from);
      this.assertNotOver();
    }
  }

  private serve(core: Core, takeover: Takeover): void {
    const { context, partition, table } = this;
    const { writer, fold } = core;
    const { time, settings, topics, proposals } = context;
    // Leases start full here: while nobody folded, no producer could prove that it lives [OWN-6].
    const horizon = new Horizon(time.now(), fold.next, settings.pauseMsMax);
    const clocks = new Clocks({ ...context, ...settings, topic: topics.fragments, partition, table, horizon, appender: proposals });
    this.currentPhase = 'serving';
    writer.start();
    this.serving = { ...core, horizon, clocks, follower: this.follow(core) };
    for (const stream of table.live.values()) this.announce(stream);
    if (takeover.report.isOtherLog) void this.settleOtherLog(core);
  }

  private follow({ claim, fold, writer, checkpoints }: Core): LifecycleFollower {
    const { context, partition, table } = this;
    return new LifecycleFollower({
      ...context, topic: context.topics.lifecycle, partition, claim, table,
      foldNext: () => fold.next,
      recall: (streamNo) => this.finished.findPatiently(streamNo),
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
    for (const streamNo of [...this.table.finished.keys()]) {
      const stream = await this.finished.findPatiently(streamNo);
      if (this.isOver) return;
      if (stream === undefined) continue;
      stream.index.dropBelow(Infinity);
      writer.put(stream);
    }
    await writer.flushAll();
    if (!this.isOver) await checkpoints.publishOwner();
  }

  private announce(stream: OpenStream): void {
    if (this.currentPhase === 'serving') this.context.channels.announce(stream.state.open.channel, stream.streamNo);
  }

  private fence(claim: number, other: number): void {
    if (this.currentPhase !== 'serving') return;
    this.context.logger.warn({ partition: this.partition, claim, other }, 'another owner has a higher claim: stopping');
    this.fencedAt = this.context.time.now();
    this.stop('fenced');
  }

  private wakeWaiters(next: number): void {
    if (this.waiters.length === 0) return;
    const waiting = this.waiters;
    this.waiters = waiting.filter((waiter) => waiter.end > next);
    for (const waiter of waiting) if (waiter.end <= next) waiter.resolve();
  }

  private get isOver(): boolean {
    return this.currentPhase === 'stopped' || this.currentPhase === 'fenced';
  }

  private assertNotOver(): void {
    if (this.isOver) throw new StreamError('NOT_OWNER', { partition: this.partition, retryAfterMs: RETRY_AFTER_MS });
  }

  private assertServing(): Serving {
    this.assertNotOver();
    if (this.serving === null) {
      const detail = 'The partition of the stream is being restored.';
      throw new StreamError('NOT_READY', { detail, partition: this.partition, retryAfterMs: RETRY_AFTER_MS });
    }
    return this.serving;
  }
}
