import { parseCursor, StreamError } from '@rivulet/protocol';
import type { WatchReply } from '@rivulet/protocol';
import type { Principal, Wanted } from '@rivulet/service';
import { AckQueue } from './ack-queue';
import { asStreamError } from './as-stream-error';
import { generationOf } from './cold-reader';
import { ChannelFollower } from './channel-follower';
import type { ChannelOutlet, ChannelRequest } from './channel-follower';
import { openChannel } from './channel-start';
import type { ChannelReset } from './channel-start';
import { isCompressible } from './coding';
import type { Delivery } from './delivery';
import type { NamedSession } from './named-session';
import { placeOf } from './reader';
import type { Place, Reader, Told } from './reader';
import type { SocketCodec, SocketFrame } from './socket-codec';
import type { StreamEntry } from './stream-source';
import type { Outlet, Subscription } from './subscription';
import type { WaitingLine } from './waiting-line';

/** What a subscription needs of its socket. */
export interface SocketLine {
  readonly delivery: Delivery;
  readonly line: WaitingLine;
  readonly isWritable: boolean;
  readonly codec: SocketCodec;
  write(frame: SocketFrame, isCompressed?: boolean): void;
  send(reply: WatchReply): void;
  problem(error: StreamError, facts: { id?: string; streamNo?: string }): void;
  forgetSubscription(id: string): void;
}

export interface SocketSubscription {
  /** What its reader needs the right to. */
  readonly wanted: Wanted;
  start(): void;
  stop(): void;
  /** @throws StreamError CURSOR_INVALID, CURSOR_UNKNOWN */
  ack(cursor: string): void;
}

export interface SubscribeFrame {
  id: string; from?: string; ended?: number; session?: string; connection?: string; window?: number; intervalMs?: number;
}

/** Flow control by the peer: so many fragments beyond the last one it acknowledged, per stream; none without a window. */
class Credit {
  private acked: number;

  constructor(private readonly window: number | undefined, sequence: number) {
    this.acked = sequence;
  }

  get last(): number {
    return this.window === undefined ? Number.MAX_SAFE_INTEGER : this.acked + this.window;
  }

  restart(): void {
    this.acked = 0;
  }

  /** Cumulative. What counts is where it stands in the present content; of an older one it says nothing. */
  ack(entry: StreamEntry, reader: Reader, cursor: string): void {
    const place = placeOf(entry, cursor);
    if (place.generation !== generationOf(entry.state)) return;
    if (place.sequence > reader.at) throw new StreamError('CURSOR_UNKNOWN', { detail: 'This was not delivered yet.' });
    this.acked = Math.max(this.acked, place.sequence);
  }
}

type Encode = ReturnType<SocketCodec['events']>;

/** Writes the events of one stream to a socket under the id of a subscription. */
function deliverTo(socket: SocketLine, encode: Encode, subscription: Subscription, credit: Credit | null, told: Told[]): void {
  // [WATCH-11] At the head a frame is the same for every session, and would be compressed for each: that costs more than it saves.
  const isCompressed = subscription.isCatchingUp && isCompressible(subscription.entry.state.open.contentType);
  let bytes = 0;
  for (const one of told) {
    if (one.kind === 'rewind') credit?.restart();
    const frame = encode(subscription.entry, one);
    socket.write(frame, isCompressed);
    bytes += frame.length;
  }
  if (credit !== null) subscription.allow(credit.last);
  socket.delivery.options.metrics.delivered(told.length, bytes);
}

/** One stream on a socket. One with a name stays after the final event until that is confirmed, so that it can be. */
export class SocketStream implements SocketSubscription, Outlet {
  private readonly subscription: Subscription;
  /** null: a name has its own. */
  private readonly credit: Credit | null;
  private readonly acks: AckQueue;
  private readonly encode: Encode;

  private constructor(
    private readonly socket: SocketLine, private readonly frame: SubscribeFrame, private readonly principals: readonly Principal[],
    entry: StreamEntry, place: Place, private readonly named: NamedSession | null,
  ) {
    const { delivery } = socket;
    this.subscription = delivery.subscription(delivery.reader(entry, place), entry, this, frame.intervalMs ?? 0);
    this.credit = named === null ? new Credit(frame.window, place.sequence) : null;
    if (this.credit !== null) this.subscription.allow(this.credit.last);
    this.acks = new AckQueue((cursor) => this.confirm(cursor));
    this.encode = socket.codec.events(frame.id, delivery.options.frames);
  }

  /** @throws StreamError as Delivery.open and Delivery.start */
  static async open(
    socket: SocketLine, frame: SubscribeFrame & { streamNo: string }, principals: readonly Principal[],
  ): Promise<SocketStream> {
    const { delivery } = socket;
    const { session, connection, window } = frame;
    const entry = await delivery.open(frame.streamNo, principals);
    try {
      const request = session === undefined ? null : { session, connection, window };
      const { place, named } = await delivery.start(entry, frame.from ?? null, request);
      return new SocketStream(socket, frame, [...principals], entry, place, named);
    } catch (error) {
      delivery.options.source.release(entry);
      throw error;
    }
  }

  get wanted(): Wanted {
    const { streamNo, state } = this.subscription.entry;
    return { scope: 'read', streamNo, channel: state.open.channel };
  }

  get isWritable(): boolean {
    return this.socket.isWritable;
  }

  start(): void {
    const { entry, reader } = this.subscription;
    this.socket.write(this.encode(entry, { kind: 'stream', confirmed: this.named?.confirmedCursor }));
    // It has the final event already: the status says so, and nothing follows [WATCH-9].
    if (reader.isFinished) return this.forget();
    this.named?.start(this.subscription, (confirmed) => this.probe(confirmed));
    this.subscription.pump();
  }

  stop(): void {
    this.subscription.stop();
    this.named?.stop();
    this.socket.line.remove(this.subscription);
  }

  ack(cursor: string): void {
    if (this.credit === null) {
      return this.acks.add(cursor);
    }
    const { entry, reader } = this.subscription;
    this.credit.ack(entry, reader, cursor);
    this.subscription.allow(this.credit.last);
    this.subscription.pump();
  }

  deliver(subscription: Subscription, told: Told[]): void {
    deliverTo(this.socket, this.encode, subscription, this.credit, told);
    this.named?.delivered();
  }

  blocked(subscription: Subscription): void {
    this.socket.line.add(subscription);
  }

  finished(): void {
    if (this.named === null) this.forget();
    else this.stop();
  }

  failed(_subscription: Subscription, error: StreamError): void {
    this.forget();
    this.socket.problem(error, { id: this.frame.id });
  }

  private probe(confirmed: string | null): void {
    this.socket.write(this.encode(this.subscription.entry, { kind: 'probe', confirmed }));
  }

  private forget(): void {
    this.stop();
    this.socket.forgetSubscription(this.frame.id);
  }

  /** Never rejects: the peer is told either way. */
  private async confirm(cursor: string): Promise<void> {
    const { socket, frame: { id, session = '' }, principals, subscription: { entry, reader } } = this;
    try {
      const reply = await socket.delivery.confirm(entry.streamNo, principals, session, cursor);
      socket.send({ type: 'confirmed', id, ...reply });
      if (reader.isFinished && parseCursor(reply.cursor).isFinal) this.forget();
    } catch (error) {
      // Of this ack only; the subscription goes on.
      const { code, details } = asStreamError(error);
      socket.problem(new StreamError(code, { ...details, confirming: cursor }, { cause: error }), { id });
    }
  }
}

/**
 * A channel on a socket: the window counts per stream, an ack names the stream: `streamNo:cursor`. Each event has the channel's cursor
 * too [WATCH-12].
 */
export class SocketChannel implements SocketSubscription, ChannelOutlet {
  private readonly follower: ChannelFollower;
  private readonly credits = new Map<Subscription, Credit>();
  private readonly encode: Encode;

  private constructor(
    private readonly socket: SocketLine, private readonly frame: SubscribeFrame, readonly wanted: Wanted, request: ChannelRequest,
    private readonly reset: ChannelReset | null,
  ) {
    this.follower = new ChannelFollower(socket.delivery, request, this);
    this.encode = socket.codec.events(frame.id, socket.delivery.options.frames);
  }

  /** @throws StreamError FORBIDDEN; as openChannel */
  static async open(
    socket: SocketLine, frame: SubscribeFrame & { channel: string }, principals: readonly Principal[],
  ): Promise<SocketChannel> {
    const { channel, from = null, ended: endedMax = null, intervalMs = 0 } = frame;
    const wanted: Wanted = { scope: 'read', channel };
    socket.delivery.authorize(principals, wanted);
    const { handle, place, reset } = await openChannel(socket.delivery, { channel, from, endedMax, principals });
    return new SocketChannel(socket, frame, wanted, { handle, place, principals, intervalMs }, reset);
  }

  get isWritable(): boolean {
    return this.socket.isWritable;
  }

  start(): void {
    if (this.reset !== null) this.socket.send({ type: 'reset', id: this.frame.id, channelCursor: this.follower.cursor, ...this.reset });
    this.follower.start();
  }

  stop(): void {
    this.follower.stop();
    for (const subscription of this.credits.keys()) this.socket.line.remove(subscription);
    this.credits.clear();
  }

  ack(streamCursor: string): void {
    const [streamNo = '', cursor] = streamCursor.split(':', 2);
    if (cursor === undefined) throw new StreamError('CURSOR_INVALID', { detail: 'An ack on a channel is `streamNo:cursor`.' });
    const subscription = this.follower.get(streamNo);
    const credit = subscription && this.credits.get(subscription);
    if (!credit) return;
    credit.ack(subscription.entry, subscription.reader, cursor);
    subscription.allow(credit.last);
    subscription.pump();
  }

  opened(subscription: Subscription): void {
    const credit = new Credit(this.frame.window, subscription.reader.at);
    this.credits.set(subscription, credit);
    subscription.allow(credit.last);
  }

  introduce({ entry }: Subscription): void {
    this.socket.write(this.encode(entry, { kind: 'stream' }, this.follower.cursor));
  }

  deliver(subscription: Subscription, told: Told[]): void {
    const encode: Encode = (entry, one) => this.encode(entry, one, this.follower.told(subscription, one as Told));
    deliverTo(this.socket, encode, subscription, this.credits.get(subscription)!, told);
  }

  blocked(subscription: Subscription): void {
    this.socket.line.add(subscription);
  }

  finished(subscription: Subscription): void {
    this.socket.line.remove(subscription);
    this.credits.delete(subscription);
  }

  failed(subscription: Subscription, error: StreamError): void {
    this.finished(subscription);
    this.unreadable(subscription.entry.streamNo, error);
  }

  /** Ownership or the log gone is trouble of the whole channel, told once, and the peer subscribes again; all else is the stream's own. */
  unreadable(streamNo: string, error: StreamError): void {
    const { id } = this.frame;
    if (error.row.next !== 'retry') return this.socket.problem(error, { id, streamNo });
    this.stop();
    this.socket.forgetSubscription(id);
    this.socket.problem(error, { id });
  }
}
