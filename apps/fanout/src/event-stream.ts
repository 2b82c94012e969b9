import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { problemOf, StreamError } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { onGone } from './connection-close';
import { varyByCoding } from './coding';
import { GzipBody } from './gzip-body';
import type { Compressions } from './gzip-body';
import { Principals } from './principals';
import { sseFrame } from './shared-frames';
import type { SseFrame } from './shared-frames';

/** How long a client waits before it connects again, ms. */
const RETRY_MS = 1_000;
const KEEP_ALIVE = sseFrame(':\n\n');

export interface EventStreamHandlers {
  /** What was given is on its way; called only after `isWritable` was false. */
  onWritable: () => void;
  /** The connection is gone, whoever ended it. Called once. */
  onClose: () => void;
}

/** The body of one event stream. Nothing is queued here beyond what the socket was just given. */
export class EventStream {
  static readonly HEADERS = {
    'Content-Type': 'text/event-stream; charset=utf-8',
    // [WATCH-11] no-transform: a compressing proxy would hold events back until its window is full; nor may nginx buffer them.
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
  };
  private readonly socket: Socket | null;
  private readonly gzip: GzipBody | null;
  private readonly stopListening: () => void;
  private readonly principals = new Principals(() => this.endProblem(new StreamError('TOKEN_EXPIRED')));
  private isBlocked = false;
  private isClosed = false;

  /**
   * Sends head and `retry:` line at once [WATCH-11].
   * @param compressions given: the body is gzip, which catching up is worth
   */
  constructor(
    private readonly response: ServerResponse, private readonly handlers: EventStreamHandlers, compressions: Compressions | null = null,
  ) {
    const socket = response.socket;
    varyByCoding(response);
    response.writeHead(200, compressions === null ? EventStream.HEADERS : { ...EventStream.HEADERS, 'Content-Encoding': 'gzip' });
    response.flushHeaders();
    // Idle and slow readers are welcome for ever [WATCH-4]; a peer that is gone is found by TCP.
    socket?.setTimeout(0).setNoDelay(true).setKeepAlive(true, 60_000);
    // The chunks of a body are the same for all sessions, so they are framed once and go past the response object, which would frame
    // them again per session: a fifth of the cost of a delivery. Not for HTTP/1.0, which has no chunks.
    this.socket = response.chunkedEncoding && compressions === null ? socket : null;
    (this.socket ?? response).on('drain', this.onDrain);
    this.stopListening = onGone(response, this.onClose);
    this.gzip = compressions === null ? null : new GzipBody(compressions, { write: this.writePlain, onIdle: this.onIdle });
    this.write(sseFrame(`retry: ${RETRY_MS}\n\n`));
  }

  /** [WATCH-13] It ends with the token it was asked for with. */
  endWith(principal: Principal): void {
    if (!this.isClosed) this.principals.accept(principal);
  }

  get isWritable(): boolean {
    return !this.isBlocked && !this.isClosed && !this.gzip?.isBusy;
  }

  /** @param isCatchUp what only this session is given, and gzip is worth */
  write(frame: SseFrame, isCatchUp = false): void {
    if (this.isClosed) return;
    if (this.gzip !== null) this.gzip.write(frame.plain, isCatchUp);
    else if (this.socket === null) this.writePlain(frame.plain);
    else if (!this.socket.write(frame.chunk)) this.isBlocked = true;
  }

  /** Not for one that is blocked: what it has to read already shows that the connection lives. */
  keepAlive(): void {
    if (!this.isBlocked) this.write(KEEP_ALIVE);
  }

  /** Ends the stream; the socket goes back to HTTP. */
  end(): void {
    if (this.isClosed) return;
    if (this.gzip === null) this.response.end();
    else this.gzip.end(() => this.response.end());
    this.onClose();
  }

  /** [WATCH-10] Trouble that will pass: EventSource connects again after the `retry` time, jittered, since it met others too. */
  endUnavailable(error: StreamError): void {
    const retryAfterMs = Math.round((error.details.retryAfterMs ?? RETRY_MS) * (1 + Math.random()));
    const problem = problemOf(new StreamError(error.code, { ...error.details, retryAfterMs }));
    this.write(sseFrame(`retry: ${retryAfterMs}\nevent: unavailable\ndata: ${JSON.stringify(problem)}\n\n`));
    this.end();
  }

  /** [WATCH-10] Trouble midway that will not pass: the next connection gets it as its status. */
  endProblem(error: StreamError): void {
    this.write(sseFrame(`event: problem\ndata: ${JSON.stringify(problemOf(error))}\n\n`));
    this.end();
  }

  private readonly writePlain = (bytes: Buffer): void => {
    // What was being compressed may be ready only after the peer is gone.
    if (!this.response.destroyed && !this.response.write(bytes)) this.isBlocked = true;
  };

  private readonly onDrain = (): void => {
    if (!this.isBlocked) return;
    this.isBlocked = false;
    this.onIdle();
  };

  private readonly onIdle = (): void => {
    if (this.isWritable) this.handlers.onWritable();
  };

  private readonly onClose = (): void => {
    if (this.isClosed) return;
    this.isClosed = true;
    this.principals.stop();
    (this.socket ?? this.response).off('drain', this.onDrain);
    this.stopListening();
    this.handlers.onClose();
  };
}
