import { StreamError } from '@rivulet/protocol';
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
  /** Payload bytes of one delivery. */
  frameBytesMax: number;
  /** [WATCH-3] The reader's own pace: at the head at most one delivery per so many ms; 0: none. */
  intervalMs: number;
}

/** A cold read that Kafka does not answer is asked again after this: sessions outlast an outage. */
const LOG_RETRY_MS = 1_000;

/**
 * A reader tied to a transport: woken by the stream or by the transport, it moves what is between its cursor and the head, as long as the
 * transport takes it. It pins the stream's entry from its start to its stop.
 */
export class Subscription {
  private readonly options: SubscriptionOptions;
  private readonly stopListening: () => void;
  private timer: NodeJS.Timeout | null = null;
  private isFetching = false;
  private isStopped = false;
  /** Fragments above this sequence wait for credit. */
  private last = Number.MAX_SAFE_INTEGER;

  /** Takes over one `open` of the entry. `pump` starts it. */
  constructor(options: SubscriptionOptions) {
    this.options = options;
    options.entry.sessions += 1;
    this.stopListening = options.entry.onChange(() => this.pump());
  }

  get entry(): StreamEntry {
    return this.options.entry;
  }

  get reader(): Reader {
    return this.options.reader;
  }

  /** Credit: nothing above this sequence of the present content. `pump` uses it. */
  allow(last: number): void {
    this.last = last;
  }

  /** Idempotent; releases the entry. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.stopListening();
    if (this.timer !== null) clearTimeout(this.timer);
    const { entry, source } = this.options;
    entry.sessions -= 1;
    source.release(entry);
  }

  /** Moves what can be moved now. Called on every change of the stream, when the transport is writable again, and by timers. */
  pump(): void {
    const { entry, reader, outlet, frameBytesMax } = this.options;
    if (this.isStopped || this.isFetching) return;
    if (entry.isOrphaned) return this.fail(new StreamError('NOT_OWNER', { streamNo: entry.streamNo }));
    // The end is worth telling at once; all else keeps the pace.
    if (this.timer !== null && entry.state.final === null) return;
    let isMoved = false;
    while (outlet.isWritable && !this.isStopped) {
      const told = reader.pull(frameBytesMax, this.last);
      if (told.length > 0) {
        isMoved = true;
        outlet.deliver(this, told);
        if (reader.isFinished) return this.finish();
        if (!reader.isAtHead || told[0]!.kind === 'rewind') continue;
      } else if (reader.isCold) {
        void this.fetch();
        return;
      }
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
    const known = error instanceof StreamError ? error : new StreamError('INTERNAL', {}, { cause: error });
    if (known.code === 'LOG_UNAVAILABLE' && !this.entry.isOrphaned) this.pause(known.details.retryAfterMs ?? LOG_RETRY_MS);
    else this.fail(known);
  }

  private pause(ms: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.pump();
    }, ms);
  }

  private finish(): void {
    this.stop();
    this.options.outlet.finished(this);
  }

  private fail(error: StreamError): void {
    this.stop();
    this.options.outlet.failed(this, error);
  }
}
