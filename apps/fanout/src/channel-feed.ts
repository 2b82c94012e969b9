import type { ServerResponse } from 'node:http';
import { problemOf, StreamError } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import type { Delivery, Session } from './delivery';
import { streamText } from './event-text';
import { EventStream } from './event-stream';
import type { Told } from './reader';
import { channelText, sseFrame } from './shared-frames';
import type { Outlet, Subscription } from './subscription';

/** Streams of a channel that catch up at once; the rest of a channel's past waits its turn, so a long past costs no more than a short one. */
const CATCHING_UP_MAX = 16;

/** What a feed of a channel is asked for. */
export interface ChannelRequest { channel: string; principal: Principal; intervalMs: number }

/**
 * Every stream of a channel, present and future, on one connection: each from its beginning, told apart by `streamNo` in the data.
 * A stream that cannot be read is told as a `problem` with its streamNo; the others go on.
 */
export class ChannelFeed implements Outlet, Session {
  private readonly stream: EventStream;
  private readonly subscriptions = new Set<Subscription>();
  /** In the order in which they may write when the connection takes more again. */
  private readonly blockedOnes = new Set<Subscription>();
  private readonly queue: string[];
  private opening = 0;
  private readonly catchingUp = new Set<Subscription>();
  private isClosed = false;
  private readonly forget: (() => void)[];

  constructor(private readonly delivery: Delivery, response: ServerResponse, private readonly request: ChannelRequest) {
    const { source, keepAlives, metrics } = delivery.options;
    this.stream = new EventStream(response, { onWritable: () => this.pumpBlocked(), onClose: () => this.close() });
    const following = source.channel(request.channel, (streamNo) => this.follow(streamNo));
    this.queue = following.present;
    this.forget = [following.stop, keepAlives.add(this.stream), metrics.opened('channel')];
    delivery.add(this);
    this.openMore();
  }

  get isWritable(): boolean {
    return this.stream.isWritable;
  }

  deliver(subscription: Subscription, told: Told[]): void {
    const { frames, metrics } = this.delivery.options;
    let bytes = 0;
    for (const one of told) {
      const frame = frames.frame('channel', subscription.entry, one);
      this.stream.write(frame);
      bytes += frame.plain.byteLength;
    }
    metrics.delivered(told.length, bytes);
    if (subscription.reader.isAtHead) this.caughtUp(subscription);
  }

  blocked(subscription: Subscription): void {
    this.blockedOnes.add(subscription);
  }

  finished(subscription: Subscription): void {
    this.forgetOne(subscription);
  }

  failed(subscription: Subscription, error: StreamError): void {
    this.forgetOne(subscription);
    this.tellTrouble(subscription.entry.streamNo, error);
  }

  drain(error: StreamError): void {
    this.stream.endUnavailable(error);
  }

  private follow(streamNo: string): void {
    this.queue.push(streamNo);
    this.openMore();
  }

  private openMore(): void {
    while (!this.isClosed && this.queue.length > 0 && this.opening + this.catchingUp.size < CATCHING_UP_MAX) {
      this.opening += 1;
      const streamNo = this.queue.shift()!;
      this.open(streamNo).catch((error: unknown) => {
        this.tellTrouble(streamNo, error instanceof StreamError ? error : new StreamError('INTERNAL', {}, { cause: error }));
      }).finally(() => {
        this.opening -= 1;
        this.openMore();
      });
    }
  }

  private async open(streamNo: string): Promise<void> {
    const { delivery, request } = this;
    if (this.subscriptions.size >= delivery.options.limits.sessionStreamsMax) {
      throw new StreamError('OVERLOADED', { detail: `A connection carries at most ${this.subscriptions.size} streams.` });
    }
    const entry = await delivery.open(streamNo, [request.principal]);
    const place = await delivery.place(entry, null);
    const subscription = delivery.subscription(delivery.reader(entry, place), entry, this, request.intervalMs);
    if (this.isClosed) return subscription.stop();
    this.subscriptions.add(subscription);
    this.catchingUp.add(subscription);
    this.stream.write(sseFrame(channelText(streamNo, streamText(entry.state))));
    subscription.pump();
    if (subscription.reader.isAtHead) this.caughtUp(subscription);
  }

  /** Ownership or the log gone is trouble of the whole feed; all else is the stream's own. */
  private tellTrouble(streamNo: string, error: StreamError): void {
    // Its retention ended between the list and the reading: there is nothing to tell.
    if (error.code === 'STREAM_GONE' || error.code === 'STREAM_NOT_FOUND') return;
    if (error.row.next === 'retry') this.stream.endUnavailable(error);
    else this.stream.write(sseFrame(`event: problem\ndata: ${JSON.stringify({ streamNo, ...problemOf(error) })}\n\n`));
  }

  private caughtUp(subscription: Subscription): void {
    if (this.catchingUp.delete(subscription)) this.openMore();
  }

  private forgetOne(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    this.blockedOnes.delete(subscription);
    this.caughtUp(subscription);
  }

  /** In turns: whoever is blocked again goes to the end of the line. */
  private pumpBlocked(): void {
    for (const subscription of this.blockedOnes) {
      if (!this.isWritable) return;
      this.blockedOnes.delete(subscription);
      subscription.pump();
    }
  }

  private close(): void {
    this.isClosed = true;
    this.queue.length = 0;
    for (const subscription of this.subscriptions) subscription.stop();
    this.subscriptions.clear();
    this.blockedOnes.clear();
    for (const forget of this.forget) forget();
    this.delivery.remove(this);
  }
}
