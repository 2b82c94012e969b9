import { StreamError } from '@rivulet/protocol';
import type {
  Appender, AppenderOptions, Bounds, JoinOptions, Log, LogBatch, Membership, RecordToAppend, Tail, TailHandlers, TopicSpec,
} from './log';
import { MemoryStore } from './memory-store';
import { MemoryTail } from './memory-tail';
import { PartitionBatcher } from './partition-batcher';

export interface MemoryLogOptions {
  /** Broker time, ms. */
  now?: () => number;
  /** Bound of what is kept, bytes; the oldest records go first, as with a retention. */
  bytesMax?: number;
}

/** Faults a test can switch on; each is what the same trouble with a Kafka looks like from above. */
export interface MemoryFaults {
  /** Nothing answers: appends wait for their deadline, reads and checks reject, tails and heartbeats stand still. */
  isAway: boolean;
  /** So many next sends are written but answered with an error: the resend makes duplicates. */
  lostAnswers: number;
}

const SCAN_BYTES_MAX = 1024 * 1024;
const LOG_BYTES_MAX = 512 * 1024 * 1024;

/** The log in memory: for tests, simulation, and a first look without Kafka. Nothing in it survives the process. */
export class MemoryLog implements Log {
  readonly kind = 'memory';
  readonly faults: MemoryFaults = { isAway: false, lostAnswers: 0 };
  private readonly store: MemoryStore;
  private readonly tails = new Set<MemoryTail>();
  private readonly appenders = new Set<Appender<never>>();
  private readonly memberships = new Set<Membership>();

  /** @param shared the log whose records and groups this one shares, as another client of the same cluster */
  constructor(options: MemoryLogOptions = {}, shared?: MemoryLog) {
    this.store = shared?.store ?? new MemoryStore(options.now ?? Date.now, options.bytesMax ?? LOG_BYTES_MAX);
  }

  async createTopics(specs: TopicSpec[]): Promise<void> {
    await this.check();
    for (const spec of specs) this.store.createTopic(spec);
  }

  async partitions(topic: string): Promise<number> {
    await this.check();
    return this.store.partitions(topic).length;
  }

  async clusterId(): Promise<string> {
    await this.check();
    return this.store.clusterId;
  }

  appender<T>(options: AppenderOptions<T>): Appender<T> {
    const batcher = new PartitionBatcher<T>({ ...options, route: { send: (batches) => this.send(options.topic, batches) } });
    this.appenders.add(batcher);
    return batcher;
  }

  tail(topic: string, partition: number, from: number, handlers: TailHandlers): Tail {
    const onClose = () => this.tails.delete(tail);
    const tail = new MemoryTail(this.store.partition(topic, partition), from, handlers, () => this.faults.isAway, onClose);
    this.tails.add(tail);
    return tail;
  }

  async scan(topic: string, partition: number, from: number, options: { bytesMax?: number } = {}): Promise<LogBatch> {
    await this.check();
    const { start } = this.store.partition(topic, partition);
    if (from < start) throw new StreamError('CURSOR_EXPIRED', { topic, partition, from, start });
    return this.store.partition(topic, partition).read(from, options.bytesMax ?? SCAN_BYTES_MAX);
  }

  async bounds(topic: string, partition: number): Promise<Bounds> {
    await this.check();
    const { start, end } = this.store.partition(topic, partition);
    return { start, end };
  }

  async join(options: JoinOptions): Promise<Membership> {
    await this.check();
    const member = this.store.join(options);
    const { faults, store, memberships } = this;
    let heartbeatAt = performance.now();
    const membership: Membership = {
      get heartbeatAt() {
        return (heartbeatAt = faults.isAway ? heartbeatAt : performance.now());
      },
      leave: async () => {
        if (!memberships.delete(membership)) return;
        if (member.partitions.length > 0) options.onRevoked(member.partitions);
        store.leave(member);
      },
    };
    memberships.add(membership);
    return membership;
  }

  async check(): Promise<void> {
    // A turn of the loop, as with a network: nobody may rely on an answer in the same tick.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.faults.isAway) throw new StreamError('LOG_UNAVAILABLE', { retryAfterMs: 1000 });
  }

  /** Removes records below an offset, as retention does: for tests of what is no longer kept. */
  truncate(topic: string, partition: number, before: number): void {
    this.store.partition(topic, partition).truncate(before);
  }

  async close(): Promise<void> {
    for (const membership of [...this.memberships]) await membership.leave();
    for (const tail of [...this.tails]) await tail.close();
    for (const appender of this.appenders) await appender.close();
  }

  private async send(topic: string, batches: ReadonlyMap<number, readonly RecordToAppend[]>): Promise<Map<number, number>> {
    await this.check();
    const offsets = new Map([...batches].map(([partition, records]) => [partition, this.store.append(topic, partition, records)]));
    if (this.faults.lostAnswers === 0) return offsets;
    this.faults.lostAnswers -= 1;
    throw new StreamError('LOG_UNAVAILABLE', { detail: 'The answer was lost.' });
  }
}
