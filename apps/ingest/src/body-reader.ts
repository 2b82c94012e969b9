import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { StreamError } from '@rivulet/protocol';

/** The client went away before its body was complete: nobody is left to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** Nothing came for as long as the caller wanted to wait. */
export const IDLE = Symbol('idle');

/** Pulls a body: nothing is read that was not asked for, so back-pressure reaches the sender's socket [APPEND-5]. */
export class BodyReader {
  private failure: Error | null = null;
  private isEnded = false;
  private wake: (() => void) | null = null;
  private onStop: (() => void) | null = null;

  /** @param source the request itself, or what gunzips it */
  constructor(private readonly source: Readable, private readonly request: IncomingMessage) {
    if (source !== request) source.on('error', (cause) => this.stop(faultOf(cause, request)));
    this.source.on('readable', () => this.settle());
    this.source.on('end', () => {
      this.isEnded = true;
      this.settle();
    });
    const onGone = (): void => {
      if (!request.complete) this.stop(new ClientGone('The client went away.'));
    };
    request.on('error', onGone);
    request.on('close', onGone);
    // A client may vanish before this reader exists; its events are past then.
    if (request.destroyed) onGone();
  }

  /**
   * @param waitMs at most
   * @returns bytes, null at the end, IDLE when nothing came in time
   * @throws what `stop` was given; ClientGone; StreamError BODY_INVALID
   */
  async next(waitMs: number): Promise<Buffer | null | typeof IDLE> {
    for (let isLate = false; ; ) {
      if (this.failure) throw this.failure;
      const bytes = this.source.read() as Buffer | null;
      if (bytes !== null) return bytes;
      if (this.isEnded) return null;
      if (isLate) return IDLE;
      isLate = await this.change(waitMs);
    }
  }

  /** Makes the pending and every later `next` throw. The first reason stays. */
  stop(reason: Error): void {
    this.failure ??= reason;
    this.settle();
    this.onStop?.();
  }

  /** Waits for something other than bytes, one at a time. @throws what `stop` was or is given, and what the work throws */
  async unlessStopped(work: () => Promise<void>): Promise<void> {
    if (this.failure) throw this.failure;
    await new Promise<void>((resolve, reject) => {
      this.onStop = resolve;
      work().then(resolve, reject);
    });
    this.onStop = null;
    if (this.failure) throw this.failure;
  }

  /** It is not read for a reason of ours: then its connection is not idle. */
  heldBack(): void {
    const { socket } = this.request;
    if (socket.timeout) socket.setTimeout(socket.timeout);
  }

  get stopped(): Error | null {
    return this.failure;
  }

  /**
   * The whole body. What is larger is read on and dropped for a while, so that the client reads the refusal instead of a reset connection.
   * @returns null when it is larger than bytesMax, also when the rest of it does not come
   * @throws StreamError BODY_TIMEOUT and what `next` throws
   */
  async collect(limits: { bytesMax: number; idleMsMax: number; wholeMsMax: number; dropBytesMax: number }): Promise<Buffer | null> {
    const { bytesMax, idleMsMax, wholeMsMax, dropBytesMax } = limits;
    const giveUpAt = performance.now() + wholeMsMax;
    let isTooLarge = this.saidBytes() > bytesMax;
    let parts: Buffer[] = [];
    let length = 0;
    for (;;) {
      const bytes = await this.next(Math.min(idleMsMax, Math.max(1, giveUpAt - performance.now())));
      if (bytes === IDLE || performance.now() > giveUpAt) {
        // Sending it again in time would not help: the larger fault is told.
        if (isTooLarge) return null;
        throw new StreamError('BODY_TIMEOUT', { detail: `The body took too long: ${length} bytes came.`, idleMsMax, wholeMsMax });
      }
      if (bytes === null) break;
      length += bytes.length;
      if (length > bytesMax) isTooLarge = true;
      if (isTooLarge) parts = [];
      else parts.push(bytes);
      if (length > dropBytesMax) return null;
    }
    if (isTooLarge) return null;
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** @returns what Content-Length says about these bytes; of a gzip body it says nothing */
  private saidBytes(): number {
    return this.source === this.request ? Number(this.request.headers['content-length'] ?? 0) : 0;
  }

  /**
   * After an answer that came before the body ended: takes what is still on its way, so that the client can read the answer
   * (closing at once would reset it away), but not for ever.
   */
  linger(lingerMsMax: number): void {
    linger(this.request, lingerMsMax);
    if (this.source !== this.request) this.source.destroy();
  }

  /** @returns whether it took too long */
  private change(waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      let afterSockets: NodeJS.Immediate | undefined;
      const settle = (isLate: boolean): void => {
        this.wake = null;
        clearTimeout(timer);
        clearImmediate(afterSockets);
        resolve(isLate);
      };
      // When this process was held up for that long its timers come first, and the bytes that wait in its sockets after them.
      const timer = setTimeout(() => {
        afterSockets = setImmediate(() => settle(true));
      }, waitMs);
      this.wake = () => settle(false);
    });
  }

  private settle(): void {
    this.wake?.();
  }
}

/** Discards the rest of a body; cuts the connection when that takes too long. */
export function linger(request: IncomingMessage, lingerMsMax: number): void {
  if (request.complete || request.destroyed) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), lingerMsMax).unref();
  request.once('end', () => clearTimeout(timer));
  request.once('close', () => clearTimeout(timer));
}

/** A gunzip fails because its bytes are wrong, or because the client went before it sent them all. */
function faultOf(cause: Error, request: IncomingMessage): Error {
  if (request.destroyed && !request.complete) return new ClientGone('The client went away.', { cause });
  return new StreamError('BODY_INVALID', { detail: 'The body is not valid gzip.' }, { cause });
}
