import type { ServerResponse } from 'node:http';
import type { StreamError } from '@rivulet/protocol';
import type { Delivery, Session } from './delivery';
import { streamText } from './event-text';
import { EventStream } from './event-stream';
import type { Place, Told } from './reader';
import { sseFrame, sseText } from './shared-frames';
import type { StreamEntry } from './stream-source';
import type { Outlet, Subscription } from './subscription';

/** One stream to one `GET /v1/watch/:no/events`: its cursor, and at most one frame on the way. */
export class SseFeed implements Outlet, Session {
  private readonly stream: EventStream;
  private readonly subscription: Subscription;
  private readonly forget: (() => void)[];

  constructor(private readonly delivery: Delivery, response: ServerResponse, entry: StreamEntry, place: Place, intervalMs: number) {
    const { keepAlives, metrics } = delivery.options;
    this.subscription = delivery.subscription(delivery.reader(entry, place), entry, this, intervalMs);
    this.stream = new EventStream(response, { onWritable: () => this.subscription.pump(), onClose: () => this.close() });
    this.forget = [keepAlives.add(this.stream), metrics.opened('sse')];
    delivery.add(this);
    this.stream.write(sseFrame(sseText(streamText(entry.state))));
    this.subscription.pump();
  }

  get isWritable(): boolean {
    return this.stream.isWritable;
  }

  deliver(subscription: Subscription, told: Told[]): void {
    const { frames, metrics } = this.delivery.options;
    let bytes = 0;
    for (const one of told) {
      const frame = frames.frame('sse', subscription.entry, one);
      this.stream.write(frame);
      bytes += frame.plain.byteLength;
    }
    metrics.delivered(told.length, bytes);
  }

  blocked(): void {
    // The only subscription of its connection: onWritable pumps it.
  }

  finished(): void {
    this.stream.end();
  }

  failed(_subscription: Subscription, error: StreamError): void {
    if (error.row.next === 'retry') this.stream.endUnavailable(error);
    else this.stream.endProblem(error);
  }

  drain(error: StreamError): void {
    this.stream.endUnavailable(error);
  }

  /** [WATCH-8] A disconnect is only that: nothing is cancelled. */
  private close(): void {
    this.subscription.stop();
    for (const forget of this.forget) forget();
    this.delivery.remove(this);
  }
}
