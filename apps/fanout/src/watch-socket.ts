import type { WebSocket } from 'ws';
import { problemOf, StreamError } from '@rivulet/protocol';
import type { VerdictReply, WatchReply, WatchRequest } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { asStreamError } from './as-stream-error';
import type { Delivery, Session } from './delivery';
import { Principals } from './principals';
import { SocketChannel, SocketStream } from './socket-subscription';
import type { SocketLine, SocketSubscription } from './socket-subscription';
import { socketCodec } from './socket-codec';
import type { SocketCodec, SocketFrame } from './socket-codec';
import { WaitingLine } from './waiting-line';

/** Cancelling is the allocator's business: it writes the record and knows the verdict. */
export interface CancelPort {
  cancel(call: { streamNo: string; by: string; reason: string }): Promise<VerdictReply>;
}

/** Until the first credential is accepted. */
const AUTH_MS_MAX = 10_000;
/** Frames of the peer that wait for one before them; beyond, the socket is not read. */
const PENDING_FRAMES_MAX = 64;
/** Bytes on the way to the peer beyond which nothing more is written. */
const BUFFERED_BYTES_MAX = 64 * 1024;
/** Replies are written all the same; a peer that makes so many of them and reads none is cut off. */
const UNREAD_BYTES_CUT = 4 * 1024 * 1024;
const CLOSE_MS_MAX = 2_000;
/** Keep-alives without a pong after which a peer that is not merely slow is taken for dead. */
const SILENT_PINGS_MAX = 3;

/**
 * WS /v1/watch/ws: many streams and channels on one socket, JSON or Protobuf frames.
 * States: opened → (first `auth` accepted within AUTH_MS_MAX) → ready → closed. Frames of the peer are taken one after another; opening
 * what one subscribes to takes its time, and only frames with the same id wait for it.
 */
export class WatchSocket implements Session, SocketLine {
  private readonly subscriptions = new Map<string, SocketSubscription>();
  /** Subscriptions that are being opened. */
  private readonly opening = new Map<string, Promise<void>>();
  private readonly principals = new Principals(() => this.expire());
  readonly line = new WaitingLine();
  readonly codec: SocketCodec;
  private readonly forget: (() => void)[];
  private readonly authTimer: NodeJS.Timeout;
  private work: Promise<void> = Promise.resolve();
  private pending = 0;
  private isBlocked = false;
  private isClosed = false;
  private silentPings = 0;

  constructor(readonly delivery: Delivery, private readonly cancelPort: CancelPort, private readonly socket: WebSocket) {
    const { keepAlives, metrics } = delivery.options;
    this.codec = socketCodec(socket.protocol);
    this.authTimer = setTimeout(() => this.refuse(new StreamError('UNAUTHENTICATED', { detail: `No auth frame within ${AUTH_MS_MAX} ms.` })), AUTH_MS_MAX);
    this.forget = [keepAlives.add(this), metrics.opened('socket')];
    delivery.add(this);
    socket.on('message', (data, isBinary) => this.receive(data as Buffer, isBinary));
    socket.on('pong', () => { this.silentPings = 0; });
    socket.once('close', () => this.close());
  }

  get isWritable(): boolean {
    return !this.isBlocked && !this.isClosed;
  }

  send(reply: WatchReply): void {
    this.write(this.codec.encode(reply));
  }

  /** @param isCompressed [WATCH-11] if the peer takes it: with permessage-deflate, above 1 KiB */
  write(frame: SocketFrame, isCompressed = false): void {
    if (this.isClosed) return;
    this.socket.send(frame, { compress: isCompressed }, this.onSent);
    if (this.socket.bufferedAmount > BUFFERED_BYTES_MAX) this.isBlocked = true;
    if (this.socket.bufferedAmount <= UNREAD_BYTES_CUT) return;
    this.socket.terminate();
    this.close();
  }

  problem(error: StreamError, facts: { id?: string; streamNo?: string } = {}): void {
    const { id, ...more } = facts;
    this.send({ type: 'problem', ...(id === undefined ? {} : { id }), problem: { ...more, ...problemOf(error) } });
  }

  forgetSubscription(id: string): void {
    this.subscriptions.delete(id);
  }

  /** A peer that reads slowly cannot answer pings either; TCP tells when it is gone. */
  keepAlive(): void {
    if (this.isBlocked) return;
    this.silentPings += 1;
    if (this.silentPings > SILENT_PINGS_MAX) this.socket.terminate();
    else this.socket.ping();
  }

  drain(error: StreamError): void {
    this.problem(error);
    this.end(1012, `retryAfterMs=${error.details.retryAfterMs ?? 0}`);
  }

  private receive(bytes: Buffer, isBinary: boolean): void {
    this.pending += 1;
    // Who does not read what is written to it is not read either: each of its frames may make a reply.
    if (this.pending >= PENDING_FRAMES_MAX || this.isBlocked) this.socket.pause();
    const obeyed = this.work.then(() => this.obey(bytes, isBinary)).catch((error: unknown) => this.problem(asStreamError(error)));
    this.work = obeyed.finally(() => this.settle());
  }

  private settle(): void {
    this.pending -= 1;
    this.readOn();
  }

  private readOn(): void {
    if (this.socket.isPaused && !this.isBlocked && this.pending < PENDING_FRAMES_MAX / 2) this.socket.resume();
  }

  private async obey(bytes: Buffer, isBinary: boolean): Promise<void> {
    if (this.isClosed) return;
    let frame: WatchRequest;
    try {
      frame = this.codec.parse(bytes, isBinary);
    } catch (error) {
      // Nobody yet: a stranger is not owed an answer to each of its frames.
      if (this.isStranger && !(await this.isOpenToAll())) return this.refuse(asStreamError(error));
      throw error;
    }
    if (frame.type === 'auth') return this.authenticate(frame.token);
    if (this.isStranger && !(await this.isOpenToAll())) return this.refuse(new StreamError('UNAUTHENTICATED'));
    if ('id' in frame) await this.opening.get(frame.id);
    switch (frame.type) {
      case 'subscribe': return this.aside(this.subscribe(frame));
      case 'unsubscribe': return this.unsubscribe(frame.id);
      case 'ack': return this.ack(frame);
      case 'cancel': return this.aside(this.cancel(frame));
    }
  }

  /** Not in the queue: it takes its time, and the frames behind it do not wait for it. It counts as pending all the same. */
  private aside(work: Promise<void>): void {
    this.pending += 1;
    void work.finally(() => this.settle());
  }

  private get isStranger(): boolean {
    return this.principals.all.length === 0;
  }

  /** Repeatable: each token adds what it allows. A first one that is refused ends the socket. */
  private async authenticate(token: string): Promise<void> {
    try {
      const principal = await this.delivery.options.auth.authenticate({ authorization: `Bearer ${token}` });
      this.accept(principal);
      this.send({ type: 'ready' });
    } catch (error) {
      if (this.isStranger) this.refuse(asStreamError(error));
      else throw error;
    }
  }

  private accept(principal: Principal): void {
    clearTimeout(this.authTimer);
    if (!this.isClosed) this.principals.accept(principal);
  }

  /** With auth off nobody has a token to show. */
  private async isOpenToAll(): Promise<boolean> {
    const principal = await this.delivery.options.auth.authenticate({}).catch(() => null);
    if (principal !== null) this.accept(principal);
    return principal !== null;
  }

  /** [WATCH-13] What none of the credentials that are left allows is over; so is a socket without any. */
  private expire(): void {
    if (this.isStranger) return this.refuse(new StreamError('TOKEN_EXPIRED'));
    for (const [id, subscription] of this.subscriptions) {
      if (this.isAllowed(subscription)) continue;
      this.unsubscribe(id);
      this.problem(new StreamError('TOKEN_EXPIRED'), { id });
    }
  }

  private isAllowed({ wanted }: SocketSubscription): boolean {
    try {
      this.delivery.authorize(this.principals.all, wanted);
      return true;
    } catch {
      return false;
    }
  }

  private async subscribe(frame: WatchRequest & { type: 'subscribe' }): Promise<void> {
    const { id } = frame;
    try {
      if (this.subscriptions.has(id)) throw new StreamError('FRAME_INVALID', { detail: `The id ${JSON.stringify(id)} is in use.` });
      const { sessionStreamsMax } = this.delivery.options.limits;
      if (this.subscriptions.size + this.opening.size >= sessionStreamsMax) {
        throw new StreamError('OVERLOADED', { detail: `A socket carries at most ${sessionStreamsMax} subscriptions.` });
      }
      const opening = this.open(frame).finally(() => this.opening.delete(id));
      this.opening.set(id, opening.catch(() => undefined));
      await opening;
    } catch (error) {
      this.problem(asStreamError(error), { id });
    }
  }

  private async open(frame: WatchRequest & { type: 'subscribe' }): Promise<void> {
    const subscription = frame.streamNo === undefined
      ? await SocketChannel.open(this, { ...frame, channel: frame.channel! }, this.principals.all)
      : await SocketStream.open(this, { ...frame, streamNo: frame.streamNo }, this.principals.all);
    // Either may have come to its end meanwhile.
    const isOver = this.isClosed || !this.isAllowed(subscription);
    if (!isOver) this.subscriptions.set(frame.id, subscription);
    if (!isOver) return subscription.start();
    subscription.stop();
    throw new StreamError('TOKEN_EXPIRED');
  }

  private unsubscribe(id: string): void {
    this.subscriptions.get(id)?.stop();
    this.subscriptions.delete(id);
  }

  private ack({ id, cursor }: WatchRequest & { type: 'ack' }): void {
    try {
      this.subscriptions.get(id)?.ack(cursor);
    } catch (error) {
      this.problem(asStreamError(error), { id });
    }
  }

  /** [WATCH-8] Only this cancels, and only with the scope for it. */
  private async cancel({ streamNo, reason = '' }: { streamNo: string; reason?: string }): Promise<void> {
    const { delivery, cancelPort } = this;
    try {
      delivery.options.streamNos.verify(streamNo);
      const principal = delivery.authorize(this.principals.all, { scope: 'cancel', streamNo });
      const verdict = await cancelPort.cancel({ streamNo, by: principal.id, reason });
      this.send({ type: 'cancelled', streamNo, verdict });
    } catch (error) {
      this.problem(asStreamError(error), { streamNo });
    }
  }

  private readonly onSent = (): void => {
    if (!this.isBlocked || this.socket.bufferedAmount > BUFFERED_BYTES_MAX / 2) return;
    this.isBlocked = false;
    this.line.pump(() => this.isWritable);
    this.readOn();
  };

  private refuse(error: StreamError): void {
    this.problem(error);
    this.end(error.row.close, error.code);
  }

  private end(code: number, reason: string): void {
    this.socket.close(code, reason);
    // A peer that does not answer the close must not hold the drain.
    setTimeout(() => this.socket.terminate(), CLOSE_MS_MAX).unref();
    this.close();
  }

  /** [WATCH-8] A disconnect is only that: nothing is cancelled. */
  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.authTimer);
    this.principals.stop();
    for (const subscription of this.subscriptions.values()) subscription.stop();
    this.subscriptions.clear();
    this.line.clear();
    for (const forget of this.forget) forget();
    this.delivery.remove(this);
  }
}
