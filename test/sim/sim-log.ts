import { StreamError } from '@rivulet/protocol';
import { PartitionBatcher } from '@rivulet/log';
import type { Appender, AppenderOptions, Bounds, Log, LogBatch, Membership, RecordToAppend, Tail, TailHandlers } from '@rivulet/log';
import type { SimBroker } from './sim-broker';
import type { SimProcess } from './virtual-loop';

export interface SimLogOptions {
  /** What this client reads is so old, ms: instances see the same log at different times. */
  lagMs: number;
  /** Bytes of one batch of a tail. */
  batchBytesMax: number;
}

/** How long a client waits for a broker that is away before it says so, ms. */
const AWAY_ANSWER_MS = 300;
const AWAY_POLL_MS = 40;
const SCAN_BYTES_MAX = 1024 * 1024;
/** Of the sends of a process that has died under way: a part never arrives, a part arrives much later. */
const NEVER = 0.3;
const LATER = 0.5;
const LATER_MS_MAX = 3_000;

/**
 * One process's way to the simulated broker: every question travels there and every answer back, each its own event. A process that is
 * dead hears nothing any more, but what it had sent may still land. Appends go through the real batcher.
 */
export class SimLog implements Log {
  readonly kind = 'memory';
  private readonly tails = new Set<SimTail>();

  constructor(readonly broker: SimBroker, readonly process: SimProcess, readonly options: SimLogOptions) {}

  async createTopics(): Promise<void> {
    await this.check();
  }

  partitions(): Promise<number> {
    return this.ask(() => this.broker.partitions);
  }

  clusterId(): Promise<string> {
    return this.ask(() => this.broker.clusterId);
  }

  appender<T>(options: AppenderOptions<T>): Appender<T> {
    return new PartitionBatcher<T>({ ...options, route: { send: (batches) => this.send(options.topic, batches) } });
  }

  tail(topic: string, partition: number, from: number, handlers: TailHandlers): Tail {
    const tail = new SimTail(this, topic, partition, from, handlers);
    this.tails.add(tail);
    return tail;
  }

  scan(topic: string, partition: number, from: number, options: { bytesMax?: number } = {}): Promise<LogBatch> {
    return this.ask(() => this.read(topic, partition, from, options.bytesMax ?? SCAN_BYTES_MAX));
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    return this.ask(() => {
      const { start, end } = this.broker.partition(topic, partition);
      return { start, end };
    });
  }

  join(): Promise<Membership> {
    throw new Error('Membership is simulated apart: sim-group.ts');
  }

  check(): Promise<void> {
    return this.ask(() => undefined);
  }

  async close(): Promise<void> {
    for (const tail of this.tails) await tail.close();
  }

  /** What this client can see from a place on. Values are copies: whoever keeps a view of a batch keeps nothing of the log. */
  read(topic: string, partition: number, from: number, bytesMax: number): LogBatch {
    const place = this.broker.partition(topic, partition);
    if (from < place.start) throw new StreamError('CURSOR_EXPIRED', { topic, partition, from, start: place.start });
    const end = Math.max(from, this.broker.endBefore(topic, partition, this.options.lagMs));
    const batch = place.read(from, bytesMax);
    const records = batch.records.filter(({ offset }) => offset < end)
      .map((record) => ({ ...record, value: record.value === null ? null : Buffer.from(record.value) }));
    return { ...batch, records, nextOffset: Math.min(batch.nextOffset, end), highWatermark: Math.min(batch.highWatermark, end) };
  }

  networkMs(): number {
    return this.broker.random.next() * this.broker.faults.networkMsMax;
  }

  private async send(topic: string, batches: ReadonlyMap<number, readonly RecordToAppend[]>): Promise<Map<number, number>> {
    const { random, faults } = this.broker;
    const isLost = random.chance(faults.lostRequest);
    const isAnswerLost = random.chance(faults.lostAnswer);
    const extraMs = random.chance(faults.slowSend) ? random.between(0, faults.slowSendMsMax) : 0;
    return this.ask(() => {
      if (isLost) throw new StreamError('LOG_UNAVAILABLE', { detail: 'The request was lost.' });
      const offsets = new Map<number, number>();
      for (const [partition, records] of batches) offsets.set(partition, this.broker.append(topic, partition, records, this.process.name));
      if (isAnswerLost) throw new StreamError('LOG_UNAVAILABLE', { detail: 'The answer was lost.' });
      return offsets;
    }, extraMs, true);
  }

  private ask<T>(answer: () => T, extraMs = 0, isSend = false): Promise<T> {
    const { broker, process } = this;
    const { loop, random } = broker;
    return new Promise((resolve, reject) => {
      const arrive = (): void => {
        // The question of a dead process: nobody waits for the answer, and only a send leaves a trace.
        if (process.isDead && (!isSend || random.chance(NEVER))) return;
        if (process.isDead && random.chance(LATER)) return void loop.after(broker.process, random.between(0, LATER_MS_MAX), arrive);
        if (broker.isAway) return void loop.after(process, AWAY_ANSWER_MS, () => reject(away()));
        let settle: () => void;
        try {
          const result = answer();
          settle = () => resolve(result);
        } catch (error) {
          settle = () => reject(error as Error);
        }
        loop.after(process, this.networkMs(), settle);
      };
      loop.after(broker.process, this.networkMs() + extraMs, arrive);
    });
  }
}

const away = (): StreamError => new StreamError('LOG_UNAVAILABLE', { retryAfterMs: 500 });

/** Follows one partition, one batch at a time; after each, what it lent is overwritten, as a fetch buffer is. */
class SimTail implements Tail {
  nextOffset: number;
  private isFetching = false;
  private isClosed = false;
  private readonly unwatch: () => void;

  constructor(
    private readonly log: SimLog, private readonly topic: string, private readonly partition: number, from: number,
    private readonly handlers: TailHandlers,
  ) {
    this.nextOffset = from;
    this.unwatch = log.broker.partition(topic, partition).watch(() => this.wake());
    this.wake();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.unwatch();
  }

  private wake(): void {
    if (this.isFetching || this.isClosed) return;
    this.isFetching = true;
    this.later(this.log.networkMs());
  }

  private later(ms: number): void {
    this.log.broker.loop.after(this.log.process, ms, () => void this.fetch());
  }

  private async fetch(): Promise<void> {
    const { log, topic, partition } = this;
    if (this.isClosed) return;
    if (log.broker.isAway) return this.later(AWAY_POLL_MS);
    const { start, end } = log.broker.partition(topic, partition);
    if (this.nextOffset < start || this.nextOffset > end) {
      void this.close();
      return this.handlers.onJump({ expected: this.nextOffset, start, end });
    }
    const batch = log.read(topic, partition, this.nextOffset, log.options.batchBytesMax);
    if (batch.nextOffset > this.nextOffset) {
      this.nextOffset = batch.nextOffset;
      await this.handlers.onBatch(batch);
      for (const { value } of batch.records) value?.fill(0xee);
    } else if (this.nextOffset < end) {
      return this.later(log.options.lagMs / 2 + log.networkMs()); // there, and not to be seen yet
    }
    this.isFetching = false;
    if (this.nextOffset < log.broker.partition(topic, partition).end) this.wake();
  }
}
