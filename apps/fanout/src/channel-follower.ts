import { formatCursor } from '@rivulet/protocol';
import type { StreamError } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { asStreamError } from './as-stream-error';
import type { ChannelPlace, WaitingStream } from './channel-place';
import type { Delivery } from './delivery';
import type { Told } from './reader';
import type { ChannelHandle, KnownStream } from './stream-source';
import type { Outlet, Subscription } from './subscription';

/** Streams of a channel that catch up at once; the rest of its past waits in line, so a long past costs no more memory than a short one. */
const CATCHING_UP_MAX = 16;

export interface ChannelRequest {
  /** Stopped with the follower. */
  handle: ChannelHandle;
  place: ChannelPlace;
  principals: readonly Principal[];
  intervalMs: number;
}

export interface ChannelOutlet extends Outlet {
  /** A stream is about to be read. */
  opened(subscription: Subscription): void;
  /** A stream is told of: before anything else of it. */
  introduce(subscription: Subscription): void;
  /** A stream could not be opened. */
  unreadable(streamNo: string, error: StreamError): void;
}

/**
 * The subscriptions to every stream of a channel, present and future. Stands between them and the connection, and knows its place in all
 * of them.
 */
export class ChannelFollower implements Outlet {
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly catchingUp = new Set<Subscription>();
  /** Introduced by the first that comes of them: a connection that lives for two events gets somewhere, however many streams there are. */
  private readonly unintroduced = new Set<Subscription>();
  private opening = 0;
  private isStopped = false;

  constructor(private readonly delivery: Delivery, private readonly request: ChannelRequest, private readonly outlet: ChannelOutlet) {
    request.place.onWaiting = () => this.openMore();
  }

  get isWritable(): boolean {
    return this.outlet.isWritable;
  }

  /** [WATCH-12] Of all that was told. */
  get cursor(): string {
    return this.request.place.cursor;
  }

  get(streamNo: string): Subscription | undefined {
    return this.subscriptions.get(streamNo);
  }

  start(): void {
    this.openMore();
  }

  stop(): void {
    this.isStopped = true;
    this.request.handle.stop();
    for (const subscription of this.subscriptions.values()) subscription.stop();
    this.subscriptions.clear();
  }

  /** [WATCH-12] The outlet calls it for each event, just before it writes it. @returns the cursor after it */
  told({ entry }: Subscription, told: Told): string {
    const { place } = this.request;
    const { openedOffset } = entry.state;
    if (told.kind === 'final') place.done(entry.partition, openedOffset);
    if (told.kind === 'rewind') place.moved(entry.partition, openedOffset, { epoch: told.epoch, sequence: 0 });
    if (told.kind === 'fragments') place.moved(entry.partition, openedOffset, { epoch: told.run.epoch, sequence: told.run.last });
    return place.cursor;
  }

  deliver(subscription: Subscription, told: Told[]): void {
    if (this.unintroduced.delete(subscription)) this.outlet.introduce(subscription);
    this.outlet.deliver(subscription, told);
    if (subscription.reader.isAtHead) this.caughtUp(subscription);
  }

  blocked(subscription: Subscription): void {
    this.outlet.blocked(subscription);
  }

  finished(subscription: Subscription): void {
    this.forget(subscription);
    this.outlet.finished(subscription);
  }

  failed(subscription: Subscription, error: StreamError): void {
    this.failedAt({ ...subscription.entry.state, partition: subscription.entry.partition }, error);
    this.forget(subscription);
    this.outlet.failed(subscription, error);
  }

  /** Told once; what passes is tried again by the next connection, at the same place. */
  private failedAt({ partition, openedOffset }: KnownStream, error: StreamError): void {
    if (error.row.next !== 'retry') this.request.place.done(partition, openedOffset);
  }

  /** As many as a connection carries; the others wait until one of those has ended. */
  private openMore(): void {
    const { sessionStreamsMax } = this.delivery.options.limits;
    while (
      !this.isStopped && this.opening + this.catchingUp.size < CATCHING_UP_MAX
      && this.opening + this.subscriptions.size < sessionStreamsMax
    ) {
      const waiting = this.request.place.next();
      if (waiting === undefined) return;
      this.opening += 1;
      void this.open(waiting);
    }
  }

  private async open(waiting: WaitingStream): Promise<void> {
    try {
      await this.subscribe(waiting);
    } catch (error) {
      const known = asStreamError(error);
      this.failedAt(waiting, known);
      // Its retention ended between the list and the reading: of one that was not begun there is nothing to tell.
      const isGone = known.code === 'STREAM_GONE' || known.code === 'STREAM_NOT_FOUND';
      if (!this.isStopped && !(isGone && waiting.cursor === null)) this.outlet.unreadable(waiting.streamNo, known);
    }
    this.opening -= 1;
    this.openMore();
  }

  private async subscribe({ streamNo, cursor }: WaitingStream): Promise<void> {
    const { delivery, request, subscriptions } = this;
    const entry = await delivery.open(streamNo, request.principals);
    const from = cursor === null ? null : formatCursor(cursor.epoch, cursor.sequence);
    const place = await delivery.place(entry, from).catch((error: unknown) => {
      delivery.options.source.release(entry);
      throw error;
    });
    const subscription = delivery.subscription(delivery.reader(entry, place), entry, this, request.intervalMs);
    if (this.isStopped) return subscription.stop();
    subscriptions.set(streamNo, subscription);
    this.catchingUp.add(subscription);
    this.outlet.opened(subscription);
    if (subscription.reader.isAtHead) this.outlet.introduce(subscription);
    else this.unintroduced.add(subscription);
    subscription.pump();
    if (subscription.reader.isAtHead) this.caughtUp(subscription);
  }

  private caughtUp(subscription: Subscription): void {
    if (this.catchingUp.delete(subscription)) this.openMore();
  }

  private forget(subscription: Subscription): void {
    this.subscriptions.delete(subscription.entry.streamNo);
    this.catchingUp.delete(subscription);
    this.unintroduced.delete(subscription);
    this.openMore();
  }
}
