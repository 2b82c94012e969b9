/**
 * The log: the only store. Kafka (kafka-*.ts) and memory (memory-log.ts) stand behind this interface, under one test suite.
 * Offsets are plain numbers: safe integers, asserted where they enter (Kafka's are 64 bit; 2^53 records in one partition do not happen).
 */
export interface RecordToAppend {
  key: string;
  /** null: a tombstone. */
  value: Uint8Array | null;
  /** For what has no schema of its own (dead letters); never on the hot path, where each costs microseconds. */
  headers?: Record<string, string>;
  /** How many of the appended entries this record carries (consecutive, in order); their offset is its offset. */
  entries: number;
}

export interface StoredRecord {
  key: string;
  /** A view into a larger buffer, valid only until the callback it came in returns: copy what outlives it. null: a tombstone. */
  value: Buffer | null;
  offset: number;
  /** Broker time, ms (LogAppendTime). */
  timestamp: number;
  /** Only when the record was written with some. */
  headers?: Record<string, string>;
}

export interface LogBatch {
  topic: string;
  partition: number;
  records: StoredRecord[];
  /** Where the next batch starts: compaction and control records leave holes, so never count records. */
  nextOffset: number;
  /** End of the partition when this was read: the batch reaches the end iff nextOffset ≥ highWatermark. */
  highWatermark: number;
  /** Only of a scan: stretches of the log that cannot be read, offsets inclusive, and why. Absent when there is none. */
  unreadable?: { firstOffset: number; lastOffset: number; reason: string }[];
}

export interface TopicSpec { topic: string; partitions: number; replication: number; settings: Record<string, string> }

/** Separate producers: one kind never waits behind another. */
export type ProducerClass = 'interactive' | 'bulk' | 'control';

export interface AppenderOptions<T> {
  topic: string;
  class: ProducerClass;
  /**
   * Turns what waited for one partition into records; called once per flush, in order of append.
   * May pack several consecutive entries into one record.
   */
  encode(entries: T[]): RecordToAppend[];
  /** Bound of what waits per partition, bytes; above it append rejects with OVERLOADED. */
  queueBytesMax: number;
  /** Bounds of one flush of one partition. */
  batchBytesMax: number;
  batchEntriesMax: number;
  /**
   * A batch that is not durable after this long is rejected with LOG_UNAVAILABLE, ms. Until then it is resent,
   * in order and before anything newer of its partition.
   */
  deadlineMs: number;
}

/** Ordered, durable appends: at most one batch of a partition is on the wire; the round trip is the linger, there is no timer. */
export interface Appender<T> {
  /**
   * @param bytes size of the entry, for limits
   * @returns the offset of the record that carries the entry, once Kafka has it (acks=all)
   * @throws StreamError OVERLOADED (queue full), LOG_UNAVAILABLE (deadline passed)
   */
  append(partition: number, entry: T, bytes: number): Promise<AppendResult>;
  /** Bytes waiting for a partition. */
  queuedBytes(partition: number): number;
  /** Resolves when everything appended so far is acknowledged or rejected. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
export interface AppendResult {
  /** Offset of the record that holds the entry. */
  offset: number;
}

export interface TailHandlers {
  /** Called in order. While its promise is pending this partition is not fetched: that is the back-pressure. It must not throw. */
  onBatch(batch: LogBatch): void | Promise<void>;
  /** The log no longer has `expected` (retention, truncation, recreation): the tail stops. */
  onJump(jump: { expected: number; start: number; end: number }): void;
}
export interface Tail {
  readonly nextOffset: number;
  /** After the call no handler starts any more. One that runs is not waited for, so a handler may close its own tail. */
  close(): Promise<void>;
}

export interface ScanOptions {
  bytesMax?: number;
  /**
   * Whether what comes is held against Kafka's own checksums (CRC-32C of each batch); a batch that does not fit is unreadable. Brokers
   * check what is written, nobody checks what lies on a disk since: for those who look for damage. It costs milliseconds a megabyte.
   */
  isChecked?: boolean;
}

export interface Bounds { start: number; end: number }

export interface Membership {
  /** Monotonic ms (performance.now) of the last successful heartbeat. */
  readonly heartbeatAt: number;
  /** Gives up all partitions (onRevoked is called for them) and leaves the group: they move at once. */
  leave(): Promise<void>;
}
export interface JoinOptions {
  groupId: string;
  /** The topic whose partitions are shared out. */
  topic: string;
  sessionTimeoutMs: number;
  heartbeatMs: number;
  onAssigned(partitions: number[]): void;
  /** Revoked, or lost because no heartbeat succeeded for a session timeout [OWN-2]. Stop publishing before returning. */
  onRevoked(partitions: number[]): void;
}

export interface Log {
  readonly kind: 'kafka' | 'memory';
  /** Creates what is missing; settings of topics that exist are compared and differences logged, never altered. */
  createTopics(specs: TopicSpec[]): Promise<void>;
  /** Number of partitions of a topic. @throws StreamError LOG_UNAVAILABLE */
  partitions(topic: string): Promise<number>;
  /** Identity of the cluster [OWN-5]. */
  clusterId(): Promise<string>;
  appender<T>(options: AppenderOptions<T>): Appender<T>;
  /** Follows a partition from an offset, for ever. Tails of a class share one connection and one long poll per broker. */
  tail(topic: string, partition: number, from: number, handlers: TailHandlers): Tail;
  /**
   * One bounded read at a place (cold reads, restore, held fragments).
   * @returns records from `from` on (at most about bytesMax), and where to go on. Empty with nextOffset ≥ highWatermark: the end.
   * @throws StreamError CURSOR_EXPIRED with details.start when `from` is below the log start; LOG_UNAVAILABLE
   */
  scan(topic: string, partition: number, from: number, options?: ScanOptions): Promise<LogBatch>;
  /** First offset kept and the end. */
  bounds(topic: string, partition: number): Promise<Bounds>;
  join(options: JoinOptions): Promise<Membership>;
  /** Resolves when the log answers. @throws StreamError LOG_UNAVAILABLE */
  check(): Promise<void>;
  close(): Promise<void>;
}
