import { StreamError } from '@rivulet/protocol';
import { asStreamError } from './as-stream-error';
import type { CatchUp } from './catch-up';
import type { Reader, Told } from './reader';
import type { StreamEntry, StreamSource } from './stream-source';

/** Where a subscription delivers: a connection, or its part in one. Nothing here may throw. */
export interface Outlet {
  /** False: the transport has not taken what it was given. */
  readonly isWritable: boolean;
  deliver(subscription: Subscription, told: Told[]): void;
  /** It stands before a transport that takes nothing now: `pump` it, in its turn, when that has changed. */
  blocked(subscription: Subscription): void;
  /** The final event was delivered: nothing follows [WATCH-9]. The subscription has stopped. */
  finished(subscription: Subscription): void;
  /** It cannot go on. The subscription has stopped. */
  failed(subscription: Subscription, error: StreamError): void;
}

export interface SubscriptionOptions {
  source: StreamSource;
  entry: StreamEntry;
  reader: Reader;
  outlet: Outlet;
  catchUp: CatchUp;
  /** Payload bytes of one delivery. */
  frameBytesMax: number;
  /** [WATCH-3] The reader's own pace: at the head at most one delivery per so many ms; 0: none. */
  intervalMs: number;
}

/** Between two tries to go on in another replica, ms: first and longest, jittered. */
const MOVE_MS = 50;
const MOVE_MS_MAX = 1_000;
/** A cold read that Kafka does not answer is asked again after this: sessions outlast an outage. */
const LOG_RETRY_MS = 1_000;

/**
 * A reader tied to a transport: woken by the stream or by the transport, it moves what is between its cursor and the head, as long as the
 * transport takes it. It pins the stream's entry from its start to its stop, and takes another when the replica it reads from goes away.
 */
export class Subscription {
  private readonly options: SubscriptionOptions;
  private current: StreamEntry;
  private stopListening: () => void = () => undefined;
  private timer: NodeJS.Timeout | null = null;
  private isFetching = false;
  private isMoving = false;
  private isStopped = false;
  /** It was behind when it was last looked at: what is delivered now is its own, not what every session at the head is given. */
  isCatchingUp = true;
  /** Fragments above this sequence wait for credit. */
  private last = Number.MAX_SAFE_INTEGER;

  /** Takes over one `open` of the entry. `pump` starts it. */
  constructor(options: SubscriptionOptions) {
    this.options = options;
    this.current = options.entry;
    this.attach(options.entry);
  }

  /** The stream, as the replica it is read from now has it. */
  get entry(): StreamEntry {
    return this.current;
  }

  get reader(): Reader {
    return this.options.reader;
  }

  get isWritable(): boolean {
    return this.options.outlet.isWritable;
  }

  /** It is waiting for the log, or for another replica: its place is about to change. */
  get isReading(): boolean {
    return this.isFetching || this.isMoving || this.current.isOrphaned;
  }

  /** Credit: nothing above this sequence of the present content. `pump` uses it. */
  allow(last: number): void {
    this.last = last;
  }

  /** Idempotent; releases the entry. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    // While it moves it has none.
    if (!this.isMoving) this.detach();
  }

  /** Moves what can be moved now. Called on every change of the stream, when the transport is writable again, and by timers. */
  pump(): void {
    const { reader, outlet, catchUp, frameBytesMax } = this.options;
    const { entry } = this;
    if (this.isStopped || this.isFetching || this.isMoving) return;
    if (entry.isOrphaned) return void this.move();
    // Its final event would contradict what was told, and without one the reader would wait for ever [WATCH-5].
    if (reader.isBeyondEnd && !reader.isFinished) return this.fail(new StreamError('LOG_LOST', { streamNo: entry.streamNo, sequence: reader.at }));
    // The end is worth telling at once; all else keeps the pace.
    if (this.timer !== null && entry.state.final === null) return;
    let isMoved = false;
    while (outlet.isWritable && !this.isStopped) {
      if (this.isCatchingUp && !reader.isAtHead && !catchUp.begin(this)) break;
      const told = reader.pull(frameBytesMax, this.last);
      if (told.length > 0) {
        isMoved = true;
        outlet.deliver(this, told);
        this.isCatchingUp = !reader.isAtHead;
        if (reader.isFinished) return this.finish();
        if (!reader.isAtHead || told[0]!.kind === 'rewind') continue;
      } else if (reader.isCold) {
        void this.fetch();
        return;
      } else this.isCatchingUp = !reader.isAtHead;
      break;
    }
    if (!outlet.isWritable) {
      reader.rest();
      outlet.blocked(this);
    }
    if (isMoved && this.options.intervalMs > 0 && reader.isAtHead) this.pause(this.options.intervalMs);
  }

  private async fetch(): Promise<void> {
    this.isFetching = true;
    try {
      await this.options.reader.readLog(this.options.frameBytesMax, () => !this.isStopped && !this.entry.isOrphaned);
    } catch (error) {
      this.isFetching = false;
      this.fetchFailed(error);
      return;
    }
    this.isFetching = false;
    this.pump();
  }

  private fetchFailed(error: unknown): void {
    if (this.isStopped) return;
    // What was wrong there may be right where it goes.
    if (this.isMoving || this.entry.isOrphaned) return this.pump();
    const known = asStreamError(error);
    if (known.code === 'LOG_UNAVAILABLE') this.pause(known.details.retryAfterMs ?? LOG_RETRY_MS);
    else this.fail(known);
  }

  /**
   * [OWN-9] Its replica is over (the partition moved, the owner was fenced): the reader goes on at its place in the next one. That one has
   * folded all that was ever told first, so that the place means the same there [LINK-2]. Patient: sessions outlast an outage.
   */
  private async move(): Promise<void> {
    const { streamNo } = this.entry;
    this.isMoving = true;
    this.detach();
    for (let waitMs = MOVE_MS; !this.isStopped; waitMs = Math.min(2 * waitMs, MOVE_MS_MAX)) {
      try {
        const entry = await this.openCaughtUp(streamNo);
        this.isMoving = false;
        if (this.isStopped) return this.options.source.release(entry);
        this.attach(entry);
        this.options.reader.moveTo(entry);
        return this.pump();
      } catch (error) {
        const known = asStreamError(error);
        if (known.row.next !== 'retry') return this.fail(known);
        await new Promise((resolve) => setTimeout(resolve, waitMs / 2 + (Math.random() * waitMs) / 2));
      }
    }
  }

  /** @returns the entry, pinned */
  private async openCaughtUp(streamNo: string): Promise<StreamEntry> {
    const { source } = this.options;
    const entry = await source.open(streamNo);
    try {
      await source.caughtUp(entry.partition);
      if (entry.isOrphaned) throw new StreamError('NOT_OWNER', { streamNo });
      return entry;
    } catch (error) {
      source.release(entry);
      throw error;
    }
  }

  private attach(entry: StreamEntry): void {
    this.current = entry;
    entry.sessions += 1;
    this.stopListening = entry.onChange(() => this.pump());
  }

  private detach(): void {
    this.stopListening();
    this.current.sessions -= 1;
    this.options.source.release(this.current);
  }

  private pause(ms: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.pump();
    }, ms);
  }

  /** Ends it. Its outlet is told why. */
  fail(error: StreamError): void {
    if (this.isStopped) return;
    this.stop();
    this.options.outlet.failed(this, error);
  }

  private finish(): void {
    this.stop();
    this.options.outlet.finished(this);
  }
}
