import type { ServerResponse } from 'node:http';
import type { StreamError } from '@rivulet/protocol';
import { onGone } from './connection-close';
import type { ByteSpan } from './content-range';
import type { Delivery, Session } from './delivery';
import { GzipBody } from './gzip-body';
import type { Place, Told } from './reader';
import type { StreamEntry } from './stream-source';
import type { Outlet, Subscription } from './subscription';

export interface ContentPart {
  response: ServerResponse;
  entry: StreamEntry;
  place: Place;
  /** Bytes of the content before the place. */
  byte: number;
  span: ByteSpan;
  /** Follows the stream to its end, and is whole only if that is `ended`. */
  isLive: boolean;
  isGzip: boolean;
}

export interface ContentAnswers {
  sendHead: () => void;
  /** Instead of the head. */
  sendProblem: (error: StreamError) => void;
}

/**
 * The bytes of a stream as the body of an answer. States: nothing sent → head sent, with the first byte or at the head of a growing stream
 * → ended, or cut. A body that cannot become what its head promised is cut off, so that the client's own check fails (curl exits non-zero).
 */
export class ContentBody implements Outlet, Session {
  private readonly subscription: Subscription;
  private readonly forget: () => void;
  private readonly stopListening: () => void;
  private gzip: GzipBody | null = null;
  private at: number;
  private isBlocked = false;
  private isHeadSent = false;
  private isDone = false;
  private isForgotten = false;

  constructor(private readonly delivery: Delivery, private readonly part: ContentPart, private readonly answers: ContentAnswers) {
    const { entry, place, response, byte } = part;
    this.at = byte;
    this.subscription = delivery.subscription(delivery.reader(entry, place, 'bytes'), entry, this, 0);
    this.forget = delivery.options.metrics.opened('content');
    delivery.add(this);
    // A live stream may be silent, and a reader slow, for as long as they like [WATCH-4].
    response.socket?.setTimeout(0).setKeepAlive(true, 60_000);
    response.on('drain', () => this.unblock());
    this.stopListening = onGone(response, () => this.close());
  }

  start(): void {
    this.subscription.pump();
    if (!this.isDone && this.subscription.reader.isAtHead) this.sendHead();
  }

  get isWritable(): boolean {
    return !this.isBlocked && !this.isDone && !this.gzip?.isBusy;
  }

  deliver(_subscription: Subscription, told: Told[]): void {
    const { response } = this.part;
    this.sendHead();
    const before = this.at;
    const parts: Uint8Array[] = [];
    for (const one of told) {
      // The content started over: what was sent is void, and cannot be taken back.
      if (one.kind === 'rewind') return this.cut();
      if (one.kind === 'fragments') for (const bytes of one.run.parts) this.take(bytes, parts);
    }
    response.cork();
    if (this.gzip !== null) this.gzip.write(Buffer.concat(parts), true);
    else for (const bytes of parts) this.write(bytes);
    response.uncork();
    this.delivery.options.metrics.delivered(1, this.at - before);
    if (this.at >= this.part.span.until) this.end();
  }

  blocked(): void {
    // The only subscription of its connection: unblock pumps it.
  }

  finished(): void {
    if (this.isDone) return;
    this.sendHead();
    const isWhole = this.part.span.until === Infinity && this.subscription.entry.state.final?.status === 'ended';
    if (isWhole) this.end();
    else this.cutAfterFlush();
  }

  failed(_subscription: Subscription, error: StreamError): void {
    if (this.isHeadSent) this.cut();
    else this.answers.sendProblem(error);
    this.close();
  }

  drain(): void {
    // The client goes on with a Range request.
    this.cutAfterFlush();
    this.close();
  }

  /** Of a fragment, what is in the span. */
  private take(bytes: Uint8Array, parts: Uint8Array[]): void {
    const { span } = this.part;
    const from = Math.max(0, span.start - this.at);
    const to = Math.min(bytes.byteLength, span.until - this.at);
    this.at += bytes.byteLength;
    if (from < to) parts.push(bytes.subarray(from, to));
  }

  private readonly write = (bytes: Uint8Array): void => {
    const { response } = this.part;
    // What was being compressed may be ready only after the peer is gone, or was cut off.
    if (response.destroyed || response.socket?.writable === false) return;
    if (!response.write(bytes)) this.isBlocked = true;
  };

  private sendHead(): void {
    if (this.isHeadSent) return;
    this.isHeadSent = true;
    this.answers.sendHead();
    this.part.response.flushHeaders();
    if (!this.part.isGzip) return;
    this.gzip = new GzipBody(this.delivery.options.compressions, { write: this.write, onIdle: () => this.subscription.pump() });
  }

  private unblock(): void {
    this.isBlocked = false;
    this.subscription.pump();
  }

  private end(): void {
    const { response, isLive } = this.part;
    const { final } = this.subscription.entry.state;
    const isBroken = isLive && final !== null && final.status !== 'ended';
    if (isBroken) return this.cutAfterFlush();
    this.isDone = true;
    if (this.gzip === null) response.end();
    else this.gzip.end(() => response.end());
    this.close();
  }

  /** What was written still goes out; then the connection ends without the end of the body. */
  private cutAfterFlush(): void {
    this.isDone = true;
    cutOff(this.part.response);
  }

  private cut(): void {
    this.isDone = true;
    this.part.response.destroy();
  }

  private close(): void {
    this.isDone = true;
    this.subscription.stop();
    if (this.isForgotten) return;
    this.isForgotten = true;
    this.stopListening();
    this.delivery.remove(this);
    this.forget();
  }
}

/** Ends the connection without the end of the body. What was written still goes out where the missing end shows; else a reset shows it. */
export function cutOff(response: ServerResponse): void {
  response.flushHeaders();
  if (response.chunkedEncoding) response.socket?.destroySoon();
  else response.socket?.resetAndDestroy();
}
