import { StreamError } from '@rivulet/protocol';
import type { LogBatch } from '@rivulet/log';
import { FinishedReader } from './finished-reader';
import { LogBounds } from './log-bounds';
import type { OpenStream } from './open-stream';
import type { OwnerContext } from './owner-context';
import type { PartitionFold } from './partition-fold';
import { StreamTable } from './stream-table';

const RETRY_AFTER_MS = 500;

interface Waiter { end: number; resolve: () => void; reject: (error: unknown) => void }

/**
 * A partition folded in this process, as readers see it. Its owner has one, and so has each follower [OWN-8]: both fold the same records by
 * the same judge, so a reader cannot tell which of them serves it.
 *
 * starting (nothing is served) → serving (from `serve`) → over (from `end`: its streams are orphans, their readers move on).
 */
export class Replica {
  readonly table: StreamTable;
  readonly finished: FinishedReader;
  /** What readers hold of it: streams opened, channels followed. A follower without any is given up. */
  pins = 0;
  /** '' until it serves. */
  clusterId = '';
  /** Resolves when it is over. */
  readonly over: Promise<void>;
  private signalOver!: () => void;
  private readonly logBounds: LogBounds;
  private fold: PartitionFold | null = null;
  private hasEnded = false;
  private waiters: Waiter[] = [];

  constructor(readonly partition: number, private readonly context: OwnerContext) {
    this.over = new Promise((resolve) => (this.signalOver = resolve));
    this.table = new StreamTable(context.channels);
    this.logBounds = new LogBounds(context.log, context.topics.fragments, partition);
    this.finished = new FinishedReader(context, partition, this.table, () => this.hasEnded);
  }

  get isServing(): boolean {
    return this.fold !== null && !this.hasEnded;
  }

  get isOver(): boolean {
    return this.hasEnded;
  }

  /** Offset after the last record folded. */
  get next(): number {
    return this.fold?.next ?? 0;
  }

  get lag(): number {
    return this.fold?.lag ?? 0;
  }

  /** From here on it serves readers. @param clusterId of the log it folds */
  serve(fold: PartitionFold, clusterId: string): void {
    this.fold = fold;
    this.clusterId = clusterId;
    this.context.channels.announceAll(({ streamNo }) => this.table.has(streamNo));
  }

  /** One batch, in order; the next one when this is folded. */
  async take(batch: LogBatch): Promise<void> {
    const { fold } = this;
    if (fold === null || this.hasEnded) return;
    await fold.fold(batch);
    this.wake(fold.next);
  }

  /** Tells those who follow its channel of a stream that is new here; a replay meets streams long before they may be served. */
  announce({ streamNo, partition, state }: OpenStream): void {
    if (this.isServing) this.context.channels.announce(state.open.channel, { streamNo, partition, openedOffset: state.openedOffset });
  }

  /**
   * @returns the stream, pinned until `release`
   * @throws StreamError NOT_READY, NOT_OWNER, STREAM_NOT_FOUND, STREAM_GONE, LOG_UNAVAILABLE
   */
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
    this.pins += 1;
    return stream;
  }

  release(stream: OpenStream): void {
    stream.pins -= 1;
    this.pins -= 1;
    this.table.dismiss(stream);
  }

  /** Resolves when the fold has reached the end of the log as it is now. @throws StreamError NOT_READY, NOT_OWNER, LOG_UNAVAILABLE */
  async caughtUp(): Promise<void> {
    this.assertServing();
    const { end } = await this.logBounds.ask();
    const fold = this.assertServing();
    if (fold.next >= end) return;
    await new Promise<void>((resolve, reject) => this.waiters.push({ end, resolve, reject }));
  }

  /** Its readers are told, and move on. */
  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const waiter of this.waiters.splice(0)) waiter.reject(this.notOwner());
    this.table.orphan();
    this.signalOver();
  }

  /** @throws StreamError NOT_OWNER */
  assertNotOver(): void {
    if (this.hasEnded) throw this.notOwner();
  }

  private wake(next: number): void {
    if (this.waiters.length === 0) return;
    const waiting = this.waiters;
    this.waiters = waiting.filter((waiter) => waiter.end > next);
    for (const waiter of waiting) if (waiter.end <= next) waiter.resolve();
  }

  private notOwner(): StreamError {
    return new StreamError('NOT_OWNER', { partition: this.partition, retryAfterMs: RETRY_AFTER_MS });
  }

  private assertServing(): PartitionFold {
    this.assertNotOver();
    if (this.fold === null) {
      const detail = 'The partition of the stream is being restored.';
      throw new StreamError('NOT_READY', { detail, partition: this.partition, retryAfterMs: RETRY_AFTER_MS });
    }
    return this.fold;
  }
}
