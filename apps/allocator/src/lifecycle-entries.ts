import type { Log } from '@rivulet/log';
import { Table } from '@rivulet/log';
import { decodeLifecycle, isNewer, OWNER_KEY } from '@rivulet/protocol';
import type { LifecycleValue, Version } from '@rivulet/protocol';
import { Claims } from './claims';
import { LoadCounts } from './load-counts';

/** A lifecycle value without what only the owner needs. */
export interface KnownStream extends Omit<LifecycleValue, 'checkpoint' | 'positions'> {
  positionsCount: number;
  checkpointOffset: number | null;
}

/** What is kept of each stream. `stream` is null once it is only a small entry: then it is read again from the log. */
export interface Entry {
  readonly streamNo: string;
  readonly version: Version;
  readonly partition: number;
  /** Offset in the lifecycle topic. */
  readonly offset: number;
  readonly isFinal: boolean;
  stream: KnownStream | null;
}

export type EntryListener = (entry: Entry | null, streamNo: string) => void;

interface LifecycleEntriesOptions {
  log: Log;
  topic: string;
  endedStreamsMax: number;
  onUndecodable: (facts: { partition: number; offset: number; key: string; cause: unknown }) => void;
}

export const isFinalStatus = (status: LifecycleValue['status']): boolean => status !== 'open' && status !== 'lost';

/**
 * The lifecycle topic as this process knows it. Memory is bounded: open streams whole, the newest `endedStreamsMax` final ones whole,
 * of the rest only where to read them.
 */
export class LifecycleEntries {
  readonly load = new LoadCounts();
  readonly owners = new Claims();
  private readonly table: Table<Entry>;
  /** Final streams kept whole, oldest first. */
  private readonly wholeFinals = new Map<string, Entry>();
  private readonly wholes = new Set<string>();
  private readonly listeners = new Set<EntryListener>();
  /** Newest first; null after a change. */
  private order: string[] | null = null;

  constructor(private readonly options: LifecycleEntriesOptions) {
    this.table = new Table<Entry>({
      log: options.log, topic: options.topic,
      decode: (key, value, place) => {
        if (key !== OWNER_KEY) return entryOf(decodeLifecycle(value), place);
        this.owners.take(value, place);
        return null;
      },
      // [OWN-2] The maximum version counts, never the last write; and final stays final.
      isNewer: (a, b) => (b.isFinal && !a.isFinal ? false : isNewer(a.version, b.version)),
      onUndecodable: (record, partition, cause) => options.onUndecodable({ partition, offset: record.offset, key: record.key, cause }),
    });
    this.table.onChange((key, entry, previous) => this.take(key, entry, previous));
  }

  get ready(): Promise<void> {
    return this.table.ready;
  }

  get isReady(): boolean {
    return this.table.isReady;
  }

  /** Resolves once the lifecycle of a partition is known at least as anybody has seen it before. @throws StreamError LOG_UNAVAILABLE */
  current(partition: number): Promise<void> {
    return this.table.current(partition);
  }

  get size(): number {
    return this.table.size;
  }

  get wholeCount(): number {
    return this.wholes.size;
  }

  entry(streamNo: string): Entry | undefined {
    return this.table.get(streamNo);
  }

  /** @returns the stream, from memory or read again; undefined when it is not known */
  async stream(streamNo: string): Promise<KnownStream | undefined> {
    const entry = this.table.get(streamNo);
    if (!entry) return undefined;
    return entry.stream ?? this.readAgain(entry);
  }

  /** streamNos of the streams kept whole, newest first. */
  newestFirst(): readonly string[] {
    // Sorting what is nearly sorted is cheap; streamNos sort by time [NO-1].
    this.order ??= [...this.wholes].sort((a, b) => (a < b ? 1 : -1));
    return this.order;
  }

  whole(streamNo: string): KnownStream | null {
    return this.table.get(streamNo)?.stream ?? null;
  }

  /** After each change; entry null: removed. @returns unsubscribe */
  onChange(listener: EntryListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): Promise<void> {
    return this.table.close();
  }

  private take(streamNo: string, entry: Entry | null, previous: Entry | undefined): void {
    if (entry && !entry.isFinal) this.load.seenOpen(streamNo, entry.partition);
    else this.load.seenClosed(streamNo, (entry ?? previous)?.partition ?? 0);
    if (!this.wholes.has(streamNo) || !entry) this.order = null;
    this.wholeFinals.delete(streamNo);
    if (entry) {
      this.wholes.add(streamNo);
      if (entry.isFinal) this.wholeFinals.set(streamNo, entry);
      this.shrink();
    } else {
      this.wholes.delete(streamNo);
    }
    for (const listener of this.listeners) listener(entry, streamNo);
  }

  private shrink(): void {
    while (this.wholeFinals.size > this.options.endedStreamsMax) {
      const [streamNo, entry] = this.wholeFinals.entries().next().value as [string, Entry];
      this.wholeFinals.delete(streamNo);
      this.wholes.delete(streamNo);
      this.order = null;
      entry.stream = null;
    }
  }

  /** The value at its offset, or a later one of the same key when compaction has removed that one. */
  private async readAgain(entry: Entry): Promise<KnownStream | undefined> {
    const { log, topic } = this.options;
    let from = Math.max(entry.offset, (await log.bounds(topic, entry.partition)).start);
    for (;;) {
      const batch = await log.scan(topic, entry.partition, from);
      for (const record of batch.records) {
        if (record.key !== entry.streamNo || record.value === null) continue;
        const read = entryOf(decodeLifecycle(record.value), { partition: entry.partition, offset: record.offset });
        if (!isNewer(entry.version, read.version)) return read.stream ?? undefined;
      }
      if (batch.nextOffset >= batch.highWatermark) return undefined;
      from = batch.nextOffset;
    }
  }
}

function entryOf(value: LifecycleValue, place: { partition: number; offset: number }): Entry {
  const { checkpoint, positions, ...stream } = value;
  return {
    streamNo: value.streamNo, version: value.version, ...place, isFinal: isFinalStatus(value.status),
    stream: { ...stream, positionsCount: positions.length, checkpointOffset: checkpoint?.offset ?? null },
  };
}
