import type { Change, Head, KeptEvent } from './cache-content';

export interface CacheLimits {
  /** Of all that is kept, bytes. Default 50 MiB. */
  bytesMax: number;
  /** Streams kept. Default 100. */
  streamsMax: number;
  /** Since a stream was last added to, ms. Default 7 days. */
  ageMsMax: number;
}
export const CACHE_LIMITS: CacheLimits = { bytesMax: 50 * 1024 * 1024, streamsMax: 100, ageMsMax: 7 * 24 * 3_600_000 };

/** Where a cache keeps things. Each call is one transaction; a rejection costs the cache, never the watching. */
export interface CacheStore {
  read(streamNo: string): Promise<{ head: Head; events: KeptEvent[] } | null>;
  /** Reads the head, writes what `decide` makes of it, and evicts, in one. */
  write(streamNo: string, decide: (head: Head | null) => Change | null, limits: CacheLimits): Promise<void>;
  remove(streamNo: string): Promise<void>;
  clear(): Promise<void>;
}

/** Streams to let go of: the old, then those longest not added to, until the rest fits. */
export function evicted(heads: readonly Head[], limits: CacheLimits, now: number): string[] {
  const newestFirst = [...heads].sort((one, other) => other.usedAt - one.usedAt);
  let bytes = 0;
  let streams = 0;
  return newestFirst.filter((head) => {
    bytes += head.bytes;
    streams += 1;
    return bytes > limits.bytesMax || streams > limits.streamsMax || now - head.usedAt > limits.ageMsMax;
  }).map(({ streamNo }) => streamNo);
}

/** For Node, tests, and pages without IndexedDB: gone with the process. */
export function memoryStore(): CacheStore {
  const streams = new Map<string, { head: Head; events: KeptEvent[] }>();
  return {
    read: async (streamNo) => {
      const kept = streams.get(streamNo);
      return kept === undefined ? null : { head: kept.head, events: [...kept.events] };
    },
    write: async (streamNo, decide, limits) => {
      const kept = streams.get(streamNo);
      const change = decide(kept?.head ?? null);
      if (change === null) return;
      streams.set(streamNo, { head: change.head, events: [...(change.isFresh ? [] : kept?.events ?? []), ...change.events] });
      for (const one of evicted([...streams.values()].map(({ head }) => head), limits, Date.now())) streams.delete(one);
    },
    remove: async (streamNo) => void streams.delete(streamNo),
    clear: async () => streams.clear(),
  };
}
