import type { StreamError } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { asStreamError } from './as-stream-error';
import type { Delivery } from './delivery';
import type { Told } from './reader';
import type { ChannelHandle } from './stream-source';
import type { Outlet, Subscription } from './subscription';

/** Streams of a channel that catch up at once; the rest of its past waits in line, so a long past costs no more memory than a short one. */
const CATCHING_UP_MAX = 16;

export interface ChannelRequest {
  /** Stopped with the follower. */
  handle: ChannelHandle;
  principals: readonly Principal[];
  intervalMs: number;
}

export interface ChannelOutlet extends Outlet {
  /** A stream begins: before anything else of it. */
  opened(subscription: Subscription): void;
  /** A stream could not be opened. */
  unreadable(streamNo: string, error: StreamError): void;
}

/** The subscriptions to every stream of a channel, present and future, each from its beginning. Stands between them and the connection. */
export class ChannelFollower implements Outlet {
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly queue: string[];
  /** Streams begun: a new replica tells of all it has, and none is to be told from its beginning again. */
  private readonly seen: Set<string>;
  private readonly catchingUp = new Set<Subscription>();
  private opening = 0;
  private isStopped = false;

  constructor(private readonly delivery: Delivery, private readonly request: ChannelRequest, private readonly outlet: ChannelOutlet) {
    this.queue = request.handle.follow((streamNo) => this.follow(streamNo));
    this.seen = new Set(this.queue);
  }

  get isWritable(): boolean {
    return this.outlet.isWritable;
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
    this.queue.length = 0;
    for (const subscription of this.subscriptions.values()) subscription.stop();
    this.subscriptions.clear();
  }

  deliver(subscription: Subscription, told: Told[]): void {
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
    this.forget(subscription);
    this.outlet.failed(subscription, error);
  }

  private follow(streamNo: string): void {
    if (this.seen.has(streamNo)) return;
    this.seen.add(streamNo);
    this.queue.push(streamNo);
    this.openMore();
  }

  /** As many as a connection carries; the others wait until one of those has ended. */
  private openMore(): void {
    const { sessionStreamsMax } = this.delivery.options.limits;
    while (
      !this.isStopped && this.queue.length > 0 && this.opening + this.catchingUp.size < CATCHING_UP_MAX
      && this.opening + this.subscriptions.size < sessionStreamsMax
    ) {
      this.opening += 1;
      void this.open(this.queue.shift()!);
    }
  }

  private async open(streamNo: string): Promise<void> {
    try {
      await this.subscribe(streamNo);
    } catch (error) {
      const known = asStreamError(error);
      // Its retention ended between the list and the reading: there is nothing to tell.
      const isGone = known.code === 'STREAM_GONE' || known.code === 'STREAM_NOT_FOUND';
      if (!isGone && !this.isStopped) this.outlet.unreadable(streamNo, known);
    }
    this.opening -= 1;
    this.openMore();
  }

  private async subscribe(streamNo: string): Promise<void> {
    const { delivery, request, subscriptions } = this;
    const entry = await delivery.open(streamNo, request.principals);
    const place = await delivery.place(entry, null).catch((error: unknown) => {
      delivery.options.source.release(entry);
      throw error;
    });
    const subscription = delivery.subscription(delivery.reader(entry, place), entry, this, request.intervalMs);
    if (this.isStopped) return subscription.stop();
    subscriptions.set(streamNo, subscription);
    this.catchingUp.add(subscription);
    this.outlet.opened(subscription);
    subscription.pump();
    if (subscription.reader.isAtHead) this.caughtUp(subscription);
  }

  private caughtUp(subscription: Subscription): void {
    if (this.catchingUp.delete(subscription)) this.openMore();
  }

  private forget(subscription: Subscription): void {
    this.subscriptions.delete(subscription.entry.streamNo);
    this.catchingUp.delete(subscription);
    this.openMore();
  }
}
