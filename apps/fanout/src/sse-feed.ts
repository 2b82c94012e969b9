import type { ServerResponse } from 'node:http';
import type { StreamError } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { isCompressible } from './coding';
import type { Delivery, Session } from './delivery';
import { eventText } from './event-text';
import type { Tellable } from './event-text';
import { EventStream } from './event-stream';
import type { NamedSession } from './named-session';
import type { Place, Told } from './reader';
import { sseFrame, sseText } from './shared-frames';
import type { StreamEntry } from './stream-source';
import type { Outlet, Subscription } from './subscription';

/** Bytes behind the head from which on a feed is gzip [WATCH-11]; one that is nearer, or not of text, would gain nothing by it. */
const GZIP_BEHIND_BYTES_MIN = 16 * 1024;

/** An estimate: fragments of one stream are much alike. */
function bytesBehind({ state: { next, bytes } }: StreamEntry, { generation, sequence }: Place): number {
  return generation === 0 || sequence === 0 ? bytes : (bytes * (next - 1 - sequence)) / (next - 1);
}

export interface FeedOptions {
  principal: Principal;
  intervalMs: number;
  acceptsGzip: boolean;
}

/** One stream to one `GET /v1/watch/:no/events`: its cursor, and at most one frame on the way. */
export class SseFeed implements Outlet, Session {
  private readonly stream: EventStream;
  private readonly subscription: Subscription;
  private readonly forget: (() => void)[];

  /** @param named set for a session with a name */
  constructor(
    private readonly delivery: Delivery, response: ServerResponse, entry: StreamEntry, place: Place, options: FeedOptions,
    private readonly named: NamedSession | null,
  ) {
    const { keepAlives, metrics, compressions } = delivery.options;
    this.subscription = delivery.subscription(delivery.reader(entry, place), entry, this, options.intervalMs);
    const isGzip = options.acceptsGzip && compressions.isOn && isCompressible(entry.state.open.contentType)
      && bytesBehind(entry, place) >= GZIP_BEHIND_BYTES_MIN;
    const handlers = { onWritable: () => this.subscription.pump(), onClose: () => this.close() };
    this.stream = new EventStream(response, handlers, isGzip ? compressions : null);
    this.stream.endWith(options.principal);
    this.forget = [keepAlives.add(this.stream), metrics.opened('sse')];
    delivery.add(this);
    this.write({ kind: 'stream', confirmed: named?.confirmedCursor });
    named?.start(this.subscription, (confirmed) => this.write({ kind: 'probe', confirmed }));
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
      this.stream.write(frame, subscription.isCatchingUp);
      bytes += frame.plain.byteLength;
    }
    metrics.delivered(told.length, bytes);
    this.named?.delivered();
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

  private write(told: Tellable): void {
    this.stream.write(sseFrame(sseText(eventText(this.subscription.entry.state, told))));
  }

  /** [WATCH-8] A disconnect is only that: nothing is cancelled. */
  private close(): void {
    this.subscription.stop();
    this.named?.stop();
    for (const forget of this.forget) forget();
    this.delivery.remove(this);
  }
}
