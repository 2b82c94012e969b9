import { encodeLifecycle, encodeOwner, OWNER_KEY, StreamError } from '@rivulet/protocol';
import type { Version } from '@rivulet/protocol';
import type { Appender } from '@rivulet/log';
import type { OwnerLogger } from './dead-letters';
import type { LifecycleRecord } from './lifecycle-topic';
import type { OpenStream } from './open-stream';
import type { OwnershipMetrics } from './ownership-metrics';
import type { ReplayMarks } from './replay-marks';
import type { Time } from './time';

export interface LifecycleWriterOptions {
  partition: number;
  appender: Appender<LifecycleRecord>;
  marks: ReplayMarks;
  time: Time;
  metrics: OwnershipMetrics;
  logger: OwnerLogger;
  /** Offset after the last record folded. */
  foldNext(): number;
  /** Offset of our claim [OWN-2]. */
  claim(): number;
  /** After each flush that was acknowledged. */
  onFlushed(streams: OpenStream[]): void;
}

export interface OwnerFacts { instance: string; address: string; replayFrom: number; logId: string }

const RETRY_MS = 500;
/** Streams per flush: bounds what one flush holds in memory; the rest goes with the next. */
const STREAMS_MAX = 2000;

/**
 * Publishes what everyone may know. Streams that changed wait in a set, so a change that is overtaken by the next is never written;
 * one flush is in flight at a time, so the values of a stream reach the log in the order of their versions.
 */
export class LifecycleWriter {
  private readonly dirty = new Set<OpenStream>();
  private isOpen = false;
  private isScheduled = false;
  private flight: Promise<void> | null = null;
  private newest: { offset: number; n: number } = { offset: -1, n: 0 };

  constructor(private readonly options: LifecycleWriterOptions) {}

  /** The fold has passed the log end seen after the claim: from now on we may publish [OWN-2]. */
  start(): void {
    this.isOpen = true;
    if (this.dirty.size > 0) this.schedule();
  }

  /** Nothing leaves any more; what is on the wire carries our claim, and readers judge it by that. */
  stop(): void {
    this.isOpen = false;
    this.dirty.clear();
  }

  put(stream: OpenStream): void {
    if (stream.isOrphaned) return;
    stream.isDirty = true;
    this.dirty.add(stream);
    if (this.isOpen) this.schedule();
  }

  /** Writes all that waits. Resolves when it is acknowledged or the writer stopped. */
  async flushAll(): Promise<void> {
    while (this.isOpen && (this.dirty.size > 0 || this.flight !== null)) await (this.flight ?? this.flush());
  }

  /** A value of `#owner` under our claim. @throws StreamError LOG_UNAVAILABLE; NOT_OWNER when the writer has stopped */
  async putOwner(facts: OwnerFacts): Promise<void> {
    this.assertOpen();
    const value = encodeOwner({ version: this.nextVersion(), ...facts });
    await this.options.appender.append(this.options.partition, { key: OWNER_KEY, value }, value.byteLength);
  }

  /** @throws StreamError LOG_UNAVAILABLE; NOT_OWNER when the writer has stopped */
  async putTombstone(streamNo: string): Promise<void> {
    this.assertOpen();
    await this.options.appender.append(this.options.partition, { key: streamNo, value: null }, streamNo.length);
  }

  private assertOpen(): void {
    if (!this.isOpen) throw new StreamError('NOT_OWNER', { partition: this.options.partition });
  }

  private schedule(): void {
    if (this.isScheduled || this.flight !== null) return;
    this.isScheduled = true;
    // The next turn of the loop: all that one batch of the log changed leaves together.
    this.options.time.soon(() => {
      this.isScheduled = false;
      if (this.isOpen && this.flight === null && this.dirty.size > 0) void this.flush();
    });
  }

  private flush(): Promise<void> {
    const flight = this.writeDirty().finally(() => {
      this.flight = null;
      if (this.isOpen && this.dirty.size > 0) this.schedule();
    });
    this.flight = flight;
    return flight;
  }

  private async writeDirty(): Promise<void> {
    const { appender, partition, marks, metrics, logger } = this.options;
    const streams = this.take();
    const foldedTo = this.options.foldNext() - 1;
    const writes = streams.map((stream) => {
      const value = encodeLifecycle(stream.lifecycleValue(this.nextVersion(), foldedTo));
      marks.depart(stream);
      return appender.append(partition, { key: stream.streamNo, value }, value.byteLength);
    });
    const outcomes = await Promise.allSettled(writes);
    const written: OpenStream[] = [];
    let cause: unknown;
    outcomes.forEach((outcome, index) => {
      const stream = streams[index]!;
      stream.isFlying = false;
      if (outcome.status === 'fulfilled') {
        // Only now may replayFrom pass the stream: lifecycle acknowledged first [OWN-3].
        marks.land(stream);
        stream.lifecycleOffset = outcome.value.offset;
        stream.foldedTo = foldedTo;
        written.push(stream);
        return;
      }
      cause = outcome.reason;
      marks.returnBack(stream);
      this.put(stream);
    });
    metrics.flushed(written.length);
    if (written.length > 0 && this.isOpen) this.options.onFlushed(written);
    if (written.length === streams.length) return;
    metrics.flushFailed();
    logger.warn({ partition, failed: streams.length - written.length, err: cause }, 'lifecycle was not written; trying again');
    await new Promise<void>((resolve) => void this.options.time.after(RETRY_MS, resolve));
  }

  private take(): OpenStream[] {
    const streams: OpenStream[] = [];
    for (const stream of this.dirty) {
      if (streams.length >= STREAMS_MAX) break;
      this.dirty.delete(stream);
      stream.isDirty = false;
      if (stream.isOrphaned) continue;
      stream.isFlying = true;
      streams.push(stream);
    }
    return streams;
  }

  /** (claim, folded offset, n-th value at that offset): grows with every value of this owner [OWN-2]. */
  private nextVersion(): Version {
    const offset = this.options.foldNext() - 1;
    this.newest = offset > this.newest.offset ? { offset, n: 0 } : { offset: this.newest.offset, n: this.newest.n + 1 };
    return [this.options.claim(), this.newest.offset, this.newest.n];
  }
}
