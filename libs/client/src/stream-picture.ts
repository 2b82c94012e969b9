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

/** The events of one stream as what is to be seen of it. */
export class StreamPicture {
  private snapshot = CONNECTING;
  private next: Omit<StreamSnapshot, 'text' | 'items'> = CONNECTING;
  /** Came since the snapshot was made. Joined once a frame, so that a long text costs no more per fragment than a short one. */
  private texts: string[] = [];
  private items: unknown[] = [];
  private merge: Merge | null = null;
  /** Of a `latest` stream: what holds now, by lane. */
  private readonly newest = new Map<string, unknown>();

  /** @param lane only what is in it; '' is what is in none. Undefined: everything */
  constructor(private readonly lane?: string) {}

  /** As it was at the last `refresh`. */
  get current(): StreamSnapshot {
    return this.snapshot;
  }

  /** @returns whether it is to be seen at once: an end, or what makes void what is shown */
  take(event: ReaderEvent): boolean {
    if (event.type === 'final') {
      this.next = { status: event.status, attempt: event.epoch, error: errorOf(event) };
    } else if (event.type === 'rewind') {
      this.rewind(event.epoch);
    } else if (event.type === 'stream') {
      this.merge = event.merge;
      this.next = { ...this.next, status: event.status, attempt: event.epoch };
    } else if (event.type === 'fragment') {
      this.add(event);
    } else {
      this.next = { ...this.next, status: event.type === 'lost' ? 'lost' : 'open' };
    }
    return event.type === 'final' || event.type === 'rewind';
  }

  fail(error: unknown): void {
    this.next = { ...this.next, error: asError(error) };
  }

  refresh(): StreamSnapshot {
    const { texts, items, snapshot } = this;
    this.texts = [];
    this.items = [];
    const all = this.merge === 'latest' ? [...this.newest.values()] : [...snapshot.items, ...items];
    this.snapshot = {
      ...this.next,
      text: texts.length === 0 ? snapshot.text : snapshot.text + texts.join(''),
      items: items.length === 0 ? snapshot.items : all,
    };
    return this.snapshot;
  }

  private add({ text, items = [], lane = '', cursor }: FragmentEvent): void {
    if (this.lane === undefined || this.lane === lane) {
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
  }
}

export const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

function errorOf({ streamNo, status, reason, message }: FinalEvent): StreamError | null {
  if (status === 'ended' || status === 'cancelled') return null;
  return new StreamError('STREAM_FINAL', { streamNo, status, reason, detail: `The stream is ${status} (${reason}). ${message}`.trim() });
}
