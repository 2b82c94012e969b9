import { decodeRecord, encodeRecord, judge, parseStreamNo, PositionIndex, StreamError, summaryOf } from '@rivulet/protocol';
import type { AppendRecord, Effect, LogRecord, OpenRecord, StreamState, StreamSummary } from '@rivulet/protocol';
import type { LogBatch, MemoryLog, Tail } from '@rivulet/log';
import { crc32 } from '@rivulet/service';
import type { ChannelHandle, KnownStream, StreamEntry, StreamSource } from '../../apps/fanout/src/stream-source';
import type { StreamView } from '../../apps/fanout/src/stream-view';
import type { ViewCache } from '../../apps/fanout/src/view-cache';

export const FRAGMENTS = 'test.fragments';
export const CURSORS = 'test.cursors';

/** An `open` with limits nobody meets by accident. */
export function openRecord(options: Partial<OpenRecord> = {}): OpenRecord {
  return {
    kind: 'open', channel: '', contentType: 'text/plain; charset=utf-8', merge: 'text', class: 'interactive',
    leaseMs: 10_000, ttlMs: 86_400_000, retentionMs: 86_400_000, judgeVersion: 1, metadata: {},
    limits: {
      heldFragmentsMax: 64, heldBytesMax: 4 << 20, gapMsMax: 30_000, attemptsMax: 16, fragmentBytesMax: 256 << 10, streamBytesMax: 0,
    },
    ...options,
  };
}

export function appendRecord(firstSeq: number, payloads: (string | Uint8Array)[], options: Partial<AppendRecord> = {}): AppendRecord {
  return {
    kind: 'append', epoch: 1, firstSeq, writer: '', n: 0, writerRun: '', lane: '',
    payloads: payloads.map((payload) => (typeof payload === 'string' ? Buffer.from(payload) : payload)), ...options,
  };
}

class MemoryEntry implements StreamEntry {
  sessions = 0;
  isOrphaned = false;
  pins = 0;
  readonly index = new PositionIndex();
  readonly listeners = new Set<() => void>();

  constructor(readonly streamNo: string, readonly partition: number, readonly state: StreamState, readonly view: StreamView) {}

  get positions() { return this.index.all; }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** The smallest owner there can be: the judge over a memory log. For tests of delivery that steer every fold themselves. */
export class MemorySource implements StreamSource {
  /** False: this instance cannot fold the partitions of a channel now. */
  isReady = true;
  readonly entries = new Map<string, MemoryEntry>();
  /** Who waits until the fold has caught up. */
  readonly waiting: (() => void)[] = [];
  private readonly channels = new Map<string, Set<(streams: readonly KnownStream[]) => void>>();
  private tails: Tail[] = [];
  private folded: number[] = [];
  private gone = new Set<string>();
  private held: Promise<void> = Promise.resolve();

  constructor(private readonly log: MemoryLog, private readonly views: ViewCache, private readonly partitions = [0]) {}

  static async topic(log: MemoryLog, partitions = 1): Promise<void> {
    await log.createTopics([FRAGMENTS, CURSORS].map((topic) => ({ topic, partitions, replication: 1, settings: {} })));
  }

  start(): this {
    const onJump = (jump: object): never => { throw new Error(JSON.stringify(jump)); };
    const onBatch = async (batch: LogBatch): Promise<void> => {
      await this.held;
      this.fold(batch);
    };
    this.folded = this.partitions.map(() => 0);
    this.tails = this.partitions.map((partition) => this.log.tail(FRAGMENTS, partition, 0, { onBatch, onJump }));
    return this;
  }

  /** Folds nothing until the answer is called: an owner that is behind. */
  hold(): () => void {
    let release!: () => void;
    this.held = new Promise((resolve) => { release = resolve; });
    return release;
  }

  async stop(): Promise<void> {
    for (const tail of this.tails) await tail.close();
  }

  /** This replica is over, and the next one folds all of it anew [OWN-9]. @param without streams that are not in the log any more */
  async replace(without: string[] = []): Promise<void> {
    await this.stop();
    const before = [...this.entries.values()];
    this.entries.clear();
    this.gone = new Set(without);
    this.start();
    for (const entry of before) {
      entry.isOrphaned = true;
      for (const listener of [...entry.listeners]) listener();
    }
  }

  async open(streamNo: string): Promise<StreamEntry> {
    // Opened a moment ago, perhaps.
    if (!this.entries.has(streamNo)) await this.caughtUp(parseStreamNo(streamNo)?.partition ?? 0);
    const entry = this.entries.get(streamNo);
    if (entry === undefined) throw new StreamError('STREAM_NOT_FOUND', { streamNo });
    if (entry.state.isDeleted) throw new StreamError('STREAM_GONE', { streamNo });
    entry.pins += 1;
    return entry;
  }

  release(entry: StreamEntry): void {
    (entry as MemoryEntry).pins -= 1;
  }

  async summary(streamNo: string): Promise<StreamSummary> {
    const entry = await this.open(streamNo);
    this.release(entry);
    return { ...summaryOf(streamNo, entry.state), sessions: entry.sessions };
  }

  async caughtUp(partition = 0): Promise<void> {
    const { end } = await this.log.bounds(FRAGMENTS, partition);
    while (this.folded[partition]! < end) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  async channel(channel: string): Promise<ChannelHandle> {
    if (!this.isReady) throw new StreamError('NOT_READY');
    const listeners = this.channels.get(channel) ?? new Set();
    this.channels.set(channel, listeners);
    let listener: (streams: readonly KnownStream[]) => void = () => undefined;
    return {
      partitions: this.partitions,
      clusterId: await this.log.clusterId(),
      follow: (onStreams) => void listeners.add(listener = onStreams),
      streams: () => [...this.entries.values()]
        .filter(({ state }) => state.open.channel === channel && !state.isDeleted)
        .map((entry) => ({ ...knownOf(entry), isEnded: entry.state.final !== null }))
        .sort((one, other) => one.openedOffset - other.openedOffset),
      foldedTo: (partition) => this.folded[partition]!,
      stop: () => void listeners.delete(listener),
    };
  }

  private fold(batch: LogBatch): void {
    const changed = new Set<MemoryEntry>();
    for (const record of batch.records) {
      if (this.gone.has(record.key)) continue;
      const known = this.entries.get(record.key);
      const decoded = decodeRecord(Buffer.from(record.value!));
      const { state, effects } = judge(known?.state, record.key, decoded, record.offset, record.timestamp, crc32);
      const entry = known ?? this.add(record.key, batch.partition, state);
      if (entry === undefined) continue;
      for (const effect of effects) apply(entry, effect);
      entry.index.offer(entry.state);
      changed.add(entry);
    }
    this.folded[batch.partition] = batch.nextOffset;
    for (const entry of changed) for (const listener of [...entry.listeners]) listener();
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private add(streamNo: string, partition: number, state: StreamState | undefined): MemoryEntry | undefined {
    if (state === undefined) return undefined;
    const entry = new MemoryEntry(streamNo, partition, state, this.views.create(streamNo));
    this.entries.set(streamNo, entry);
    for (const listener of this.channels.get(state.open.channel) ?? []) listener([knownOf(entry)]);
    return entry;
  }
}

const knownOf = ({ streamNo, partition, state }: MemoryEntry): KnownStream => ({ streamNo, partition, openedOffset: state.openedOffset });

function apply(entry: MemoryEntry, effect: Effect): void {
  if (effect.kind === 'fragments') entry.view.append(effect.epoch, effect.lane, effect.firstSequence, effect.payloads);
  else if (effect.kind === 'attempt' && effect.keep === 'none') entry.view.rewind(effect.epoch);
}

/** Writes records one by one, in order; resolves when the last is durable. */
export function recordWriter(log: MemoryLog): (streamNo: string, ...records: LogRecord[]) => Promise<void> {
  const appender = log.appender<{ key: string; record: LogRecord }>({
    topic: FRAGMENTS, class: 'interactive', queueBytesMax: 1 << 30, batchBytesMax: 1 << 20, batchEntriesMax: 1000, deadlineMs: 10_000,
    encode: (entries) => entries.map(({ key, record }) => ({ key, value: encodeRecord(record), entries: 1 })),
  });
  return async (streamNo, ...records) => {
    await Promise.all(records.map((record) => appender.append(parseStreamNo(streamNo)?.partition ?? 0, { key: streamNo, record }, 100)));
  };
}
