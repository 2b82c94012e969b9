import type { Log, StoredRecord, Tail } from './log';

export interface TableOptions<T> {
  log: Log;
  topic: string;
  /** All partitions when absent. */
  partitions?: number[];
  /**
   * @param value lent for the call: copy what is kept
   * @param place where it stands in the log, for tables that keep less than the value and read it again
   * @returns null for a key or value this table does not want. A throw counts as undecodable: reported, then skipped [OWN-7].
   */
  decode(key: string, value: Buffer, place: { partition: number; offset: number }): T | null;
  /** Whether a replaces b. Readers keep the maximum version, never the last write [OWN-2]. */
  isNewer(a: T, b: T): boolean;
  onUndecodable?(record: StoredRecord, partition: number, cause: unknown): void;
}

/** @param value null: removed by a tombstone, or lost with its partition */
export type TableListener<T> = (key: string, value: T | null, previous: T | undefined) => void;

/** How long to wait before asking again for the bounds of a partition while Kafka does not answer, ms. */
const RETRY_MS = 500;

/** A compacted topic as a map, kept current by tails. It restores from Kafka only, and again from the start when Kafka lost records. */
export class Table<T> {
  /** Resolves once every partition has been read up to the end it had when the table was made. It waits for a Kafka that is away. */
  readonly ready: Promise<void>;
  private readonly rows = new Map<string, { value: T; partition: number }>();
  private readonly listeners = new Set<TableListener<T>>();
  private readonly tails = new Map<number, Tail>();
  /** Per partition, up to where it has been read. */
  private readonly read = new Map<number, number>();
  private readonly behind = new Set<{ partition: number; end: number; resolve: () => void }>();
  private isClosed = false;
  private isRestored = false;

  constructor(private readonly options: TableOptions<T>) {
    this.ready = this.start();
  }

  get isReady(): boolean {
    return this.isRestored;
  }

  get size(): number {
    return this.rows.size;
  }

  get(key: string): T | undefined {
    return this.rows.get(key)?.value;
  }

  *values(): IterableIterator<T> {
    for (const row of this.rows.values()) yield row.value;
  }

  *entries(): IterableIterator<[string, T]> {
    for (const [key, row] of this.rows) yield [key, row.value];
  }

  /** Drops a row from memory only, for tables that bound what they keep. A later record of the key brings it back. */
  forget(key: string): void {
    this.rows.delete(key);
  }

  /** @returns unsubscribe */
  onChange(listener: TableListener<T>): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Resolves once a partition has been read up to the end it has now. A process may have stood still for seconds without knowing: only
   * after this does a table show at least what anybody has seen before the call.
   * @throws StreamError LOG_UNAVAILABLE
   */
  async current(partition: number): Promise<void> {
    const { end } = await this.options.log.bounds(this.options.topic, partition);
    await this.reached(partition, end);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const tail of this.tails.values()) await tail.close();
    this.tails.clear();
    for (const { resolve } of this.behind) resolve();
  }

  private async start(): Promise<void> {
    const { log, topic } = this.options;
    const count = this.options.partitions ? 0 : await this.untilAnswered(() => log.partitions(topic), 0);
    const partitions = this.options.partitions ?? Array.from({ length: count }, (_, partition) => partition);
    await Promise.all(partitions.map((partition) => this.restore(partition)));
    this.isRestored = !this.isClosed;
  }

  /** Reads a partition from its start, and goes on following it. Resolves at the end seen now; records are never counted [KAFKA-18]. */
  private async restore(partition: number): Promise<void> {
    const { log, topic } = this.options;
    const { start, end } = await this.untilAnswered(() => log.bounds(topic, partition), { start: 0, end: 0 });
    if (this.isClosed) return;
    this.read.set(partition, start);
    this.tails.set(partition, log.tail(topic, partition, start, {
      onBatch: (batch) => {
        for (const record of batch.records) this.take(record, partition);
        this.arrive(partition, batch.nextOffset);
      },
      onJump: () => {
        this.clear(partition);
        // Who waited for an end of before has what there is now.
        void this.restore(partition).then(() => this.arrive(partition, Infinity));
      },
    }));
    await this.reached(partition, end);
  }

  private reached(partition: number, end: number): Promise<void> {
    if (this.isClosed || (this.read.get(partition) ?? 0) >= end) return Promise.resolve();
    return new Promise((resolve) => this.behind.add({ partition, end, resolve }));
  }

  private arrive(partition: number, offset: number): void {
    if (offset < Infinity) this.read.set(partition, offset);
    for (const wait of this.behind) {
      if (wait.partition !== partition || wait.end > offset) continue;
      this.behind.delete(wait);
      wait.resolve();
    }
  }

  private take(record: StoredRecord, partition: number): void {
    const previous = this.rows.get(record.key)?.value;
    if (record.value === null) {
      if (this.rows.delete(record.key)) this.publish(record.key, null, previous);
      return;
    }
    let value: T | null;
    try {
      value = this.options.decode(record.key, record.value, { partition, offset: record.offset });
    } catch (cause) {
      this.options.onUndecodable?.(record, partition, cause);
      return;
    }
    if (value === null || (previous !== undefined && !this.options.isNewer(value, previous))) return;
    this.rows.set(record.key, { value, partition });
    this.publish(record.key, value, previous);
  }

  private clear(partition: number): void {
    for (const [key, row] of this.rows) {
      if (row.partition !== partition) continue;
      this.rows.delete(key);
      this.publish(key, null, row.value);
    }
  }

  private publish(key: string, value: T | null, previous: T | undefined): void {
    for (const listener of this.listeners) listener(key, value, previous);
  }

  private async untilAnswered<R>(ask: () => Promise<R>, whenClosed: R): Promise<R> {
    while (!this.isClosed) {
      try {
        return await ask();
      } catch {
        // The log is away; readiness shows it, and there is nobody else to tell.
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    return whenClosed;
  }
}
