import { StreamError } from '@rivulet/protocol';
import { KafkaClusterView, StaleMetadata } from './kafka-cluster-view';
import type { KafkaClient, KafkaLogger } from './kafka-client';
import { EARLIEST, LATEST, offsetOf } from './kafka-epoch-requests';
import { ERROR_OFFSET_OUT_OF_RANGE, fetchPartitions } from './kafka-fetch';
import type { KafkaLeaders } from './kafka-leaders';
import type { Bounds, LogBatch, ScanOptions } from './log';

/** The broker answers the requests of one connection one after the other: with two, a long read need not hold up a short one. */
const CLIENTS = 2;
const SCAN_BYTES_MAX = 1024 * 1024;
/**
 * The end of a log decides whether a cursor is of this log and whether records are lost. A process in which nothing failed learns of new
 * leaders only by asking, and a leader of before may answer for a moment: ends come with a look at the leaders this recent [KAFKA-27].
 */
const LEADERS_AGE_MS_MAX = 1000;

/** Reads at a place, once: cold reads, restore, bounds. Never on the tails' connection, whose long poll would hold them up. */
export class KafkaPointReads {
  private readonly views: KafkaClusterView[];
  private turn = 0;

  constructor(
    client: (name: string) => KafkaClient,
    leaders: KafkaLeaders,
    private readonly deadlineMs: number,
    private readonly logger?: KafkaLogger,
  ) {
    this.views = Array.from({ length: CLIENTS }, (_, index) => new KafkaClusterView(client(`read-${index}`), leaders));
  }

  async partitions(topic: string): Promise<number> {
    const view = this.view();
    return view.untilAnswered(this.deadlineMs, async () => {
      await view.addTopic(topic);
      return view.partitions(topic);
    });
  }

  /** Identity of the cluster, asked anew. */
  clusterId(deadlineMs: number): Promise<string> {
    const view = this.view();
    return view.untilAnswered(deadlineMs, () => view.refresh());
  }

  async bounds(topic: string, partition: number, deadlineMs = this.deadlineMs): Promise<Bounds> {
    const view = this.view();
    return view.untilAnswered(deadlineMs, async () => {
      await view.refreshIfOlder(LEADERS_AGE_MS_MAX);
      return view.requestLeader(topic, partition, async (broker, leaderEpoch) => {
        const place = { topic, partition, leaderEpoch };
        const [start, end] = await Promise.all([offsetOf(broker, place, EARLIEST), offsetOf(broker, place, LATEST)]);
        if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) throw new StaleMetadata('The broker gave no offsets.');
        return { start, end };
      });
    });
  }

  async scan(topic: string, partition: number, from: number, options: ScanOptions = {}): Promise<LogBatch> {
    const { bytesMax = SCAN_BYTES_MAX, isChecked } = options;
    const view = this.view();
    return view.untilAnswered(this.deadlineMs, async () => {
      // No wait: at the end of the partition the answer is empty, at once.
      const bounds = { waitMs: 0, bytesMax, isChecked };
      const [found] = await view.requestLeader(topic, partition, (broker, leaderEpoch) => (
        fetchPartitions(broker, [{ topic, partition, leaderEpoch, from, bytesMax }], bounds)));
      if (found?.errorCode === ERROR_OFFSET_OUT_OF_RANGE) return this.outOfRange(topic, partition, from);
      if (!found || found.errorCode !== 0) throw new StaleMetadata(`Kafka error ${found?.errorCode ?? 'unknown'}`);
      for (const batch of found.unreadable) this.logger?.error({ topic, partition, ...batch }, 'a batch cannot be read and was skipped');
      const { records, nextOffset, highWatermark } = found;
      const unreadable = found.unreadable.map(({ firstOffset, lastOffset, cause }) => ({
        firstOffset, lastOffset, reason: cause instanceof Error ? cause.message : String(cause),
      }));
      return { topic, partition, records, nextOffset, highWatermark, ...(unreadable.length > 0 ? { unreadable } : {}) };
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.views.map((view) => view.close()));
  }

  private async outOfRange(topic: string, partition: number, from: number): Promise<LogBatch> {
    const { start, end } = await this.bounds(topic, partition);
    if (from < start) throw new StreamError('CURSOR_EXPIRED', { topic, partition, from, start });
    // Ahead of the end: nothing there (yet), as in memory.
    return { topic, partition, records: [], nextOffset: from, highWatermark: end };
  }

  private view(): KafkaClusterView {
    this.turn = (this.turn + 1) % this.views.length;
    return this.views[this.turn]!;
  }
}
