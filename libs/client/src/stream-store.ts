import { StreamError, parseCursor } from '@rivulet/protocol';
import type { FinalEvent, FragmentEvent, Merge, PublicStatus, ReaderEvent } from '@rivulet/protocol';

/** What a component sees of a stream at one moment. Never changed: the next moment is another object. */
export interface StreamSnapshot {
  /** The content of a text stream so far. */
  readonly text: string;
  /** The values of a JSON stream so far; of a `latest` stream the newest one of each lane. */
  readonly items: readonly unknown[];
  /** `idle` without a streamNo, `connecting` until the stream has told its own. */
  readonly status: PublicStatus | 'idle' | 'connecting';
  /** Number of the attempt that writes, from 1; 0 until it is known. */
  readonly attempt: number;
  /** Why watching ended without the whole content: no right to it, no such stream, or it failed or expired. */
  readonly error: Error | null;
}

export const IDLE: StreamSnapshot = Object.freeze({ text: '', items: Object.freeze([]), status: 'idle', attempt: 0, error: null });
export const CONNECTING: StreamSnapshot = Object.freeze({ ...IDLE, status: 'connecting' });

/** Nothing shows more often than this, however fast a stream is, ms. */
const FRAME_MS = 16;
/** How long nobody may look before watching stops: React unmounts and mounts at once in strict mode, and when pages change, ms. */
const LINGER_MS = 100;

interface StoreParts {
  watch: (signal: AbortSignal) => AsyncIterable<ReaderEvent>;
  /** Only what is in this lane; '' is what is in none. Absent: everything. */
  lane?: string;
  /** Nobody has looked for LINGER_MS. */
  onLeft: () => void;
}

/**
 * One stream for any number of components: one connection, from the first who looks until the last has left. It only watches: nothing
 * here can end the stream [WATCH-8].
 */
export class StreamStore {
  private snapshot = CONNECTING;
  private next: Omit<StreamSnapshot, 'text' | 'items'> = CONNECTING;
  /** Came since the snapshot was made. Joined once a frame, so that a long text costs no more per fragment than a short one. */
  private texts: string[] = [];
  private items: unknown[] = [];
  private merge: Merge | null = null;
  /** Of a `latest` stream: what holds now, by lane. */
  private readonly newest = new Map<string, unknown>();
  private flushedAt = -Infinity;
  private frame: ReturnType<typeof setTimeout> | null = null;
  private leaving: ReturnType<typeof setTimeout> | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly watching = new AbortController();

  constructor(private readonly parts: StoreParts) {
    void this.watch();
  }

  get current(): StreamSnapshot {
    return this.snapshot;
  }

  /** @returns ends it */
  look(listener: () => void): () => void {
    // Each look is one of its own: the same function may be given twice.
    const own = (): void => listener();
    this.listeners.add(own);
    if (this.leaving !== null) clearTimeout(this.leaving);
    this.leaving = null;
    return () => {
      if (this.listeners.delete(own) && this.listeners.size === 0) this.leaving = setTimeout(() => this.leave(), LINGER_MS);
    };
  }

  private leave(): void {
    this.watching.abort();
    if (this.frame !== null) clearTimeout(this.frame);
    this.parts.onLeft();
  }

  private async watch(): Promise<void> {
    const { signal } = this.watching;
    try {
      for await (const event of this.parts.watch(signal)) this.take(event);
    } catch (error) {
      if (signal.aborted) return;
      this.next = { ...this.next, error: error instanceof Error ? error : new Error(String(error)) };
      this.flush();
    }
  }

  private take(event: ReaderEvent): void {
    if (event.type === 'final') {
      this.next = { status: event.status, attempt: event.epoch, error: errorOf(event) };
      return this.flush();
    }
    if (event.type === 'rewind') return this.rewind(event.epoch);
    if (event.type === 'stream') {
      this.merge = event.merge;
      this.next = { ...this.next, status: event.status, attempt: event.epoch };
    } else if (event.type === 'fragment') {
      this.add(event);
    } else {
      this.next = { ...this.next, status: event.type === 'lost' ? 'lost' : 'open' };
    }
    this.schedule();
  }

  private add({ text, items = [], lane = '', cursor }: FragmentEvent): void {
    if (this.parts.lane === undefined || this.parts.lane === lane) {
      if (text !== undefined) this.texts.push(text);
      for (const item of items) this.items.push(item);
      if (items.length > 0 && this.merge === 'latest') this.newest.set(lane, items.at(-1));
    }
    const { epoch } = parseCursor(cursor);
    // What goes on after a retry may say so by its cursor alone.
    if (epoch !== this.next.attempt) this.next = { ...this.next, attempt: epoch };
  }

  /** What was shown is void at once, not when the first new fragment comes. */
  private rewind(epoch: number): void {
    this.texts = [];
    this.items = [];
    this.newest.clear();
    this.snapshot = CONNECTING;
    this.next = { ...this.next, attempt: epoch };
    this.flush();
  }

  /** The first fragment shows at once; what follows within a frame shows together. */
  private schedule(): void {
    if (this.frame !== null) return;
    const waitMs = this.flushedAt + FRAME_MS - performance.now();
    if (waitMs <= 0) this.flush();
    else this.frame = setTimeout(() => this.flush(), waitMs);
  }

  private flush(): void {
    if (this.frame !== null) clearTimeout(this.frame);
    this.frame = null;
    this.flushedAt = performance.now();
    const { texts, items, snapshot } = this;
    this.texts = [];
    this.items = [];
    const all = this.merge === 'latest' ? [...this.newest.values()] : [...snapshot.items, ...items];
    this.snapshot = {
      ...this.next,
      text: texts.length === 0 ? snapshot.text : snapshot.text + texts.join(''),
      items: items.length === 0 ? snapshot.items : all,
    };
    for (const listener of [...this.listeners]) listener();
  }
}

function errorOf({ streamNo, status, reason, message }: FinalEvent): StreamError | null {
  if (status === 'ended' || status === 'cancelled') return null;
  return new StreamError('STREAM_FINAL', { streamNo, status, reason, detail: `The stream is ${status} (${reason}). ${message}`.trim() });
}
