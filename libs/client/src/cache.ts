import { parseCursor } from '@rivulet/protocol';
import type { FragmentEvent, ReaderEvent, StreamEvent } from '@rivulet/protocol';
import { changeOf, lengthOf } from './cache-content';
import type { Batch, Head, KeptEvent } from './cache-content';
import { CACHE_LIMITS, memoryStore } from './cache-store';
import type { CacheLimits, CacheStore } from './cache-store';
import { hasIndexedDb, indexedDbStore } from './indexed-db-store';
import type { KeptStream, StreamCache } from './stream-cache';

export { memoryStore } from './cache-store';
export { indexedDbStore } from './indexed-db-store';
export type { CacheLimits, CacheStore } from './cache-store';
export type { KeptStream, StreamCache } from './stream-cache';

export interface CacheOptions extends Partial<CacheLimits> {
  /** Default: IndexedDB where there is one, else memory. */
  store?: CacheStore;
}
/** A cache that can be emptied, as a page does when somebody signs out: what it keeps can be read without a token. */
export interface OwnStreamCache extends StreamCache {
  remove(streamNo: string): Promise<void>;
  clear(): Promise<void>;
}

/** What comes within this time is one write, ms: a page that is closed loses that much, and gets it again from the service. */
const WRITE_MS = 250;

/**
 * A cache for `watch(streamNo, { cache })`: a page that is reloaded in the middle of a stream shows at once what it had and goes on after
 * it; a finished stream needs no connection. Bounded, shared by all tabs of an origin, and without effect where storage fails.
 */
export function streamCache(options: CacheOptions = {}): OwnStreamCache {
  const store = options.store ?? (hasIndexedDb() ? indexedDbStore() : memoryStore());
  const limits: CacheLimits = {
    bytesMax: options.bytesMax ?? CACHE_LIMITS.bytesMax,
    streamsMax: options.streamsMax ?? CACHE_LIMITS.streamsMax,
    ageMsMax: options.ageMsMax ?? CACHE_LIMITS.ageMsMax,
  };
  return {
    async open(streamNo) {
      try {
        const kept = await store.read(streamNo);
        const isCurrent = kept !== null && Date.now() - kept.head.usedAt <= limits.ageMsMax;
        return new Keeper(streamNo, isCurrent ? kept : null, store, limits);
      } catch {
        // Storage is off, full or broken: this stream is watched without it.
        return null;
      }
    },
    remove: (streamNo) => store.remove(streamNo),
    clear: () => store.clear(),
  };
}

class Keeper implements KeptStream {
  readonly events: readonly ReaderEvent[];
  private stream: StreamEvent | null;
  private epoch: number;
  private last: number;
  private length: number;
  private isFinal: boolean;
  /** What a reader has of a conflated stream has holes by design: nothing to go on after. */
  private isOff = false;
  private batch: Batch | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly streamNo: string,
    kept: { head: Head; events: KeptEvent[] } | null,
    private readonly store: CacheStore,
    private readonly limits: CacheLimits,
  ) {
    const { stream, epoch, last, length, isFinal } = kept?.head ?? { stream: null, epoch: 1, last: 0, length: 0, isFinal: false };
    [this.stream, this.epoch, this.last, this.length, this.isFinal] = [stream, epoch, last, length, isFinal];
    const events = kept?.events ?? [];
    const end = events.at(-1);
    // As the service would say it now.
    const status = end?.type === 'final' ? end.status : stream?.status;
    this.events = stream === null || status === undefined ? [] : [{ ...stream, status }, ...events];
  }

  add(event: ReaderEvent): void {
    if (event.type === 'stream') this.begin(event);
    else if (event.type === 'rewind') this.rewind(event.epoch);
    else if (this.isOff || this.isFinal) return;
    else if (event.type === 'fragment' && event.to > this.last) this.keep(event);
    else if (event.type === 'final') {
      this.isFinal = true;
      this.epoch = event.epoch;
      this.current().events.push(event);
      this.write();
    }
  }

  close(): void {
    this.write();
  }

  private begin(event: StreamEvent): void {
    this.stream = event;
    this.isOff ||= event.merge === 'latest';
    // Where nothing was delivered yet, this is the attempt whose content comes.
    if (this.last === 0) this.epoch = event.epoch;
  }

  private rewind(epoch: number): void {
    this.epoch = epoch;
    this.last = this.length = 0;
    this.isFinal = false;
    this.batch = { ...this.emptyBatch(), isFresh: true };
    this.schedule();
  }

  private keep(event: FragmentEvent): void {
    this.current().events.push(event);
    // An attempt that goes on has another epoch, and the same content up to there.
    this.epoch = Math.max(this.epoch, parseCursor(event.cursor).epoch);
    this.last = event.to;
    this.length += lengthOf(event);
    this.schedule();
  }

  private current(): Batch {
    return (this.batch ??= this.emptyBatch());
  }

  private emptyBatch(): Batch {
    return { stream: this.stream, epoch: this.epoch, isFresh: false, offset: this.length, events: [] };
  }

  private schedule(): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => this.write(), WRITE_MS);
    (this.timer as { unref?: () => void }).unref?.();
  }

  private write(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const { streamNo, store, limits } = this;
    const batch = this.batch === null ? null : { ...this.batch, epoch: this.epoch };
    this.batch = null;
    if (batch === null || this.isOff) return;
    store.write(streamNo, (head) => changeOf(head, streamNo, batch, Date.now()), limits).catch(() => {
      // No room, or no storage any more. What is kept stays whole; later pieces would leave a hole behind this one, and so are left out.
      this.isOff = true;
    });
  }
}
