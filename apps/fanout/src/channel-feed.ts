import type { ServerResponse } from 'node:http';
import { problemOf } from '@rivulet/protocol';
import type { StreamError } from '@rivulet/protocol';
import { ChannelFollower } from './channel-follower';
import type { ChannelOutlet, ChannelRequest } from './channel-follower';
import type { ChannelReset } from './channel-start';
import type { Delivery, Session } from './delivery';
import { streamText } from './event-text';
import { EventStream } from './event-stream';
import type { Told } from './reader';
import { channelText, sseFrame, withId } from './shared-frames';
import type { Subscription } from './subscription';
import { WaitingLine } from './waiting-line';

/**
 * `GET /v1/watch/channels/:channel/events`: all streams of a channel on one event stream, told apart by `streamNo` in the data.
 * [WATCH-12] The id of each event is the cursor of the channel after it; the cursor of its stream is in the data.
 * A stream that cannot be read is told as a `problem` with its streamNo; the others go on.
 */
export class ChannelFeed implements ChannelOutlet, Session {
  private readonly stream: EventStream;
  private readonly follower: ChannelFollower;
  private readonly line = new WaitingLine();
  private readonly forget: (() => void)[];

  constructor(private readonly delivery: Delivery, response: ServerResponse, request: ChannelRequest, reset: ChannelReset | null) {
    const { keepAlives, metrics } = delivery.options;
    this.follower = new ChannelFollower(delivery, request, this);
    this.stream = new EventStream(response, { onWritable: () => this.line.pump(() => this.isWritable), onClose: () => this.close() });
    for (const principal of request.principals) this.stream.endWith(principal);
    this.forget = [keepAlives.add(this.stream), metrics.opened('channel')];
    delivery.add(this);
    if (reset !== null) this.write(`event: reset\ndata: ${JSON.stringify(reset)}\n\n`);
    this.follower.start();
  }

  get isWritable(): boolean {
    return this.stream.isWritable;
  }

  opened(): void {
    // It needs nothing but its place.
  }

  introduce({ entry }: Subscription): void {
    this.write(channelText(entry.streamNo, streamText(entry.state)));
  }

  deliver(subscription: Subscription, told: Told[]): void {
    const { frames, metrics } = this.delivery.options;
    let bytes = 0;
    for (const one of told) {
      const frame = withId(this.follower.told(subscription, one), frames.frame('channel', subscription.entry, one));
      this.stream.write(frame);
      bytes += frame.plain.byteLength;
    }
    metrics.delivered(told.length, bytes);
  }

  blocked(subscription: Subscription): void {
    this.line.add(subscription);
  }

  finished(subscription: Subscription): void {
    this.line.remove(subscription);
  }

  failed(subscription: Subscription, error: StreamError): void {
    this.line.remove(subscription);
    this.unreadable(subscription.entry.streamNo, error);
  }

  /** Ownership or the log gone is trouble of the whole feed; all else is the stream's own. */
  unreadable(streamNo: string, error: StreamError): void {
    if (error.row.next === 'retry') this.stream.endUnavailable(error);
    else this.write(`event: problem\ndata: ${JSON.stringify({ streamNo, ...problemOf(error) })}\n\n`);
  }

  drain(error: StreamError): void {
    this.stream.endUnavailable(error);
  }

  private write(text: string): void {
    this.stream.write(withId(this.follower.cursor, sseFrame(text)));
  }

  private close(): void {
    this.follower.stop();
    this.line.clear();
    for (const forget of this.forget) forget();
    this.delivery.remove(this);
  }
}
