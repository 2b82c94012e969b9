import assert from 'node:assert';
import { StreamError } from '@rivulet/protocol';
import type { AppendResult, Appender, AppenderOptions, RecordToAppend } from './log';

/**
 * Ordered, durable appends over any way of sending: Kafka and memory share this class, and with it the order guarantees.
 *
 * A partition is in one of four states: empty; queued (entries wait); sending (one batch is on the wire, entries may wait behind it);
 * backing off (the batch failed and waits to be sent again). Only a partition without a batch takes entries from its queue, so a failed
 * batch leaves again before anything newer: that alone keeps order, no producer id is needed [KAFKA-1].
 */

/** Base offsets of the partitions that are durable, and why others are not; one that is missing was not acknowledged either. */
export type SendAnswer = ReadonlyMap<number, number | Error>;

/** Where batches go. */
export interface SendRoute {
  /**
   * Sends one batch per partition. It settles only when nothing of the request can reach the log any more: settling early would let
   * a newer batch overtake it.
   */
  send(batches: ReadonlyMap<number, readonly RecordToAppend[]>): Promise<SendAnswer>;
  /** Who takes the batches of a partition now; null: not known. Each has requests of its own. Left out: there is only one. */
  leaderOf?(partition: number): number | null;
}

/** An error that sending again cannot mend (a record over the broker's limit, no authorization). */
export class PermanentSendError extends Error {
  override readonly name = 'PermanentSendError';
}

export interface PartitionBatcherOptions<T> extends Omit<AppenderOptions<T>, 'topic' | 'class'> {
  route: SendRoute;
  /** Requests on the wire to one leader at once. Two keep it busy while one answer travels; more only make batches smaller. */
  requestsMax?: number;
  /** Bound of one request over all its partitions, bytes; a batch that is larger leaves alone. */
  requestBytesMax?: number;
  /** First and longest pause before a failed batch is sent again, ms. */
  backoffMs?: number;
  backoffMsMax?: number;
}

/** kafkajs groups messages per partition in quadratic time: 20,000 records block the loop for 2 s [KAFKA-6]. */
const BATCH_ENTRIES_MAX = 1000;
const BATCH_BYTES_MAX = 512 * 1024;
/** Bound of one request over all partitions; the broker's socket.request.max.bytes is 100 MB. */
const REQUEST_BYTES_MAX = 8 * 1024 * 1024;
const RETRY_AFTER_MS = 1000;

interface Waiting<T> {
  entry: T;
  bytes: number;
  deadlineAt: number;
  resolve(result: AppendResult): void;
  reject(error: unknown): void;
}
interface Batch<T> {
  entries: Waiting<T>[];
  records: RecordToAppend[];
  bytes: number;
  deadlineAt: number;
  isRejected: boolean;
  /** Sent alone: a request of several partitions failed for good, and the guilty one must not take the others along [KAFKA-5]. */
  isAlone: boolean;
  failures: number;
}
interface Lane<T> {
  partition: number;
  queue: Waiting<T>[];
  queuedBytes: number;
  batch: Batch<T> | null;
  isSending: boolean;
  /** Monotonic ms before which a failed batch is not sent again. */
  notBefore: number;
}

export class PartitionBatcher<T> implements Appender<T> {
  private readonly lanes = new Map<number, Lane<T>>();
  /** Partitions with something to do. Those on the wire or backing off are put back when that is over. */
  private readonly ready = new Set<Lane<T>>();
  private readonly batchEntriesMax: number;
  private readonly batchBytesMax: number;
  private readonly requestBytesMax: number;
  /** Leaders with requests on the wire, and how many: one that hangs takes only its own [KAFKA-4]. */
  private readonly requests = new Map<number | null, number>();
  private pumpTimer: NodeJS.Immediate | null = null;
  private deadlineTimer: NodeJS.Timeout | null = null;
  private readonly backoffTimers = new Set<NodeJS.Timeout>();
  private isClosed = false;

  constructor(private readonly options: PartitionBatcherOptions<T>) {
    this.batchEntriesMax = Math.min(options.batchEntriesMax, BATCH_ENTRIES_MAX);
    this.batchBytesMax = Math.min(options.batchBytesMax, BATCH_BYTES_MAX);
    this.requestBytesMax = Math.min(options.requestBytesMax ?? REQUEST_BYTES_MAX, REQUEST_BYTES_MAX);
    assert(this.batchEntriesMax > 0 && this.batchBytesMax > 0, 'batch bounds must be positive');
  }

  append(partition: number, entry: T, bytes: number): Promise<AppendResult> {
    if (this.isClosed) return Promise.reject(new StreamError('NOT_READY', { detail: 'The log is closing.', retryAfterMs: RETRY_AFTER_MS }));
    const lane = this.lane(partition);
    if (lane.queuedBytes + bytes > this.options.queueBytesMax) {
      return Promise.reject(new StreamError('OVERLOADED', { partition, queuedBytes: lane.queuedBytes, retryAfterMs: RETRY_AFTER_MS }));
    }
    return new Promise((resolve, reject) => {
      const deadlineAt = performance.now() + this.options.deadlineMs;
      lane.queue.push({ entry, bytes, deadlineAt, resolve, reject });
      lane.queuedBytes += bytes;
      this.armDeadline(this.options.deadlineMs);
      if (lane.batch === null) this.wake(lane);
    });
  }

  queuedBytes(partition: number): number {
    return this.lanes.get(partition)?.queuedBytes ?? 0;
  }

  async flush(): Promise<void> {
    // Entries of a partition settle in order, so its last one stands for all before it.
    await Promise.all([...this.lanes.values()].map((lane) => {
      const last = lane.queue.at(-1) ?? (lane.batch?.isRejected ? undefined : lane.batch?.entries.at(-1));
      return last && settled(last);
    }));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.flush();
    if (this.deadlineTimer) clearTimeout(this.deadlineTimer);
    for (const timer of this.backoffTimers) clearTimeout(timer);
    this.ready.clear();
  }

  private lane(partition: number): Lane<T> {
    let lane = this.lanes.get(partition);
    if (!lane) this.lanes.set(partition, (lane = { partition, queue: [], queuedBytes: 0, batch: null, isSending: false, notBefore: 0 }));
    return lane;
  }

  private wake(lane: Lane<T>): void {
    this.ready.add(lane);
    // After the poll phase: what all sockets brought in this turn leaves in one request. This is no timer; an idle loop runs it at once.
    this.pumpTimer ??= setImmediate(() => {
      this.pumpTimer = null;
      this.pump();
    });
  }

  private pump(): void {
    const requestsMax = this.options.requestsMax ?? 2;
    // By leader as it is now: a partition whose leader moved while it waited goes to the new one.
    const byLeader = new Map<number | null, Lane<T>[]>();
    for (const lane of this.ready) {
      const leader = this.options.route.leaderOf?.(lane.partition) ?? null;
      const lanes = byLeader.get(leader);
      if (lanes) lanes.push(lane);
      else byLeader.set(leader, [lane]);
    }
    for (const [leader, waiting] of byLeader) {
      while ((this.requests.get(leader) ?? 0) < requestsMax) {
        const lanes = this.takeReady(waiting);
        if (lanes.length === 0) break;
        void this.send(leader, lanes);
      }
    }
  }

  /** Lanes for one request, each with a batch. Those that do not fit stay ready and come first next time (a Set keeps order). */
  private takeReady(waiting: readonly Lane<T>[]): Lane<T>[] {
    const lanes: Lane<T>[] = [];
    let bytes = 0;
    for (const lane of waiting) {
      if (!this.ready.has(lane)) continue;
      if (lane.batch === null && !this.formBatch(lane)) {
        this.ready.delete(lane);
        continue;
      }
      const batch = lane.batch!;
      if (lanes.length > 0 && (batch.isAlone || bytes + batch.bytes > this.requestBytesMax)) continue;
      this.ready.delete(lane);
      lanes.push(lane);
      bytes += batch.bytes;
      if (batch.isAlone) break;
    }
    return lanes;
  }

  /** Moves entries from the queue into a batch. @returns false when there is nothing to send */
  private formBatch(lane: Lane<T>): boolean {
    let count = 0;
    let bytes = 0;
    for (const waiting of lane.queue) {
      if (count >= this.batchEntriesMax || (count > 0 && bytes + waiting.bytes > this.batchBytesMax)) break;
      count += 1;
      bytes += waiting.bytes;
    }
    if (count === 0) return false;
    const entries = lane.queue.splice(0, count);
    let records: RecordToAppend[];
    try {
      records = this.options.encode(entries.map((waiting) => waiting.entry));
      const carried = records.reduce((sum, record) => sum + record.entries, 0);
      assert.equal(carried, count, 'encode must carry every entry exactly once');
    } catch (error) {
      for (const waiting of entries) waiting.reject(error);
      lane.queuedBytes -= bytes;
      return this.formBatch(lane);
    }
    lane.batch = { entries, records, bytes, deadlineAt: entries[0]!.deadlineAt, isRejected: false, isAlone: false, failures: 0 };
    return true;
  }

  private async send(leader: number | null, lanes: Lane<T>[]): Promise<void> {
    this.requests.set(leader, (this.requests.get(leader) ?? 0) + 1);
    for (const lane of lanes) lane.isSending = true;
    let answer: SendAnswer | null = null;
    let cause: unknown = null;
    try {
      answer = await this.options.route.send(new Map(lanes.map((lane) => [lane.partition, lane.batch!.records])));
    } catch (error) {
      cause = error;
    }
    const left = this.requests.get(leader)! - 1;
    if (left > 0) this.requests.set(leader, left);
    else this.requests.delete(leader);
    for (const lane of lanes) {
      lane.isSending = false;
      const outcome = answer?.get(lane.partition);
      if (typeof outcome === 'number') this.acknowledge(lane, outcome);
      // A partition that is refused by itself need not be sent alone to find out which one it was.
      else this.fail(lane, outcome ?? cause, outcome !== undefined || lanes.length === 1);
    }
    this.pump();
  }

  private acknowledge(lane: Lane<T>, baseOffset: number): void {
    const batch = lane.batch!;
    if (!batch.isRejected) {
      let next = 0;
      batch.records.forEach((record, index) => {
        for (let left = record.entries; left > 0; left -= 1) batch.entries[next++]!.resolve({ offset: baseOffset + index });
      });
    }
    this.finish(lane);
  }

  private fail(lane: Lane<T>, cause: unknown, wasAlone: boolean): void {
    const batch = lane.batch!;
    batch.failures += 1;
    if (cause instanceof PermanentSendError) {
      if (wasAlone) this.rejectBatch(lane, cause);
      batch.isAlone = true;
    }
    if (batch.isRejected) return this.finish(lane);
    if (performance.now() >= batch.deadlineAt) {
      this.rejectBatch(lane, cause);
      this.rejectQueue(lane);
      return this.finish(lane);
    }
    const backoffMs = Math.min((this.options.backoffMs ?? 50) * 2 ** (batch.failures - 1), this.options.backoffMsMax ?? 1000);
    const timer = setTimeout(() => {
      this.backoffTimers.delete(timer);
      // The deadline may have rejected it while it waited: then it must not be sent at all.
      if (lane.batch === batch && batch.isRejected) this.finish(lane);
      else this.wake(lane);
    }, backoffMs);
    this.backoffTimers.add(timer);
  }

  /** The batch is over: the next one may leave. */
  private finish(lane: Lane<T>): void {
    lane.queuedBytes -= lane.batch!.bytes;
    lane.batch = null;
    if (lane.queue.length > 0) this.wake(lane);
  }

  private rejectBatch(lane: Lane<T>, cause: unknown): void {
    const batch = lane.batch!;
    if (batch.isRejected) return;
    batch.isRejected = true;
    for (const waiting of batch.entries) waiting.reject(this.unavailable(lane, cause));
  }

  /**
   * What waits behind a batch or an entry that was given up fails with it [APPEND-2]: were it sent, it would stand in the log without
   * what was before it, and a long run of it would fail its stream (GAP_TOO_LARGE) before the resend can close the hole.
   */
  private rejectQueue(lane: Lane<T>): void {
    for (const waiting of lane.queue.splice(0)) {
      lane.queuedBytes -= waiting.bytes;
      waiting.reject(this.unavailable(lane, null));
    }
  }

  private unavailable(lane: Lane<T>, cause: unknown): StreamError {
    return new StreamError('LOG_UNAVAILABLE', { partition: lane.partition, retryAfterMs: RETRY_AFTER_MS }, { cause });
  }

  private armDeadline(afterMs: number): void {
    this.deadlineTimer ??= setTimeout(() => {
      this.deadlineTimer = null;
      this.rejectOverdue();
    }, afterMs);
  }

  /** Rejects what is past its deadline, on the wire or not. A batch on the wire keeps its place until it settles, so order holds. */
  private rejectOverdue(): void {
    const now = performance.now();
    let next = Infinity;
    for (const lane of this.lanes.values()) {
      if (lane.batch && !lane.batch.isRejected) {
        if (lane.batch.deadlineAt <= now) {
          this.rejectBatch(lane, null);
          this.rejectQueue(lane);
        } else next = Math.min(next, lane.batch.deadlineAt);
      }
      if (lane.queue.length > 0 && lane.queue[0]!.deadlineAt <= now) this.rejectQueue(lane);
      next = Math.min(next, lane.queue[0]?.deadlineAt ?? Infinity);
    }
    if (next !== Infinity) this.armDeadline(Math.max(1, next - now));
  }
}

/** Resolves when the entry is resolved or rejected, without taking either away from its caller. */
function settled<T>(waiting: Waiting<T>): Promise<void> {
  return new Promise((done) => {
    const { resolve, reject } = waiting;
    waiting.resolve = (result) => { resolve(result); done(); };
    waiting.reject = (error) => { reject(error); done(); };
  });
}
