import { parseCursor, StreamError } from '@rivulet/protocol';
import type { ConfirmedReply } from '@rivulet/protocol';
import type { Auth, Principal, StreamNos, Wanted } from '@rivulet/service';
import type { CatchUp } from './catch-up';
import { expired, positionFor } from './cold-reader';
import type { DeliveryMetrics } from './delivery-metrics';
import type { Compressions } from './gzip-body';
import type { KeepAlives } from './keep-alives';
import type { NamedRequest, NamedSessions } from './named-sessions';
import type { NamedSession } from './named-session';
import { placeOf, Reader } from './reader';
import type { Place, ReaderOptions } from './reader';
import type { ScanTurns } from './scan-turns';
import type { SharedFrames } from './shared-frames';
import type { StreamEntry, StreamSource } from './stream-source';
import { Subscription } from './subscription';
import type { Outlet } from './subscription';

/** A connection of a reader, for the drain. */
export interface Session {
  /** Tells the reader to come back, elsewhere or later, and closes. */
  drain(error: StreamError): void;
}

/** Where a reader starts, and what it has to confirm by; null: nothing. */
export interface Start { place: Place; named: NamedSession | null }

export interface DeliveryLimits {
  /** Payload bytes of one event. */
  frameBytesMax: number;
  /** Streams on one connection. */
  sessionStreamsMax: number;
}

export interface DeliveryOptions {
  source: StreamSource;
  turns: ScanTurns;
  frames: SharedFrames;
  catchUp: CatchUp;
  keepAlives: KeepAlives;
  sessions: NamedSessions;
  metrics: DeliveryMetrics;
  compressions: Compressions;
  limits: DeliveryLimits;
  auth: Auth;
  streamNos: StreamNos;
}

/**
 * Sessions of an instance that stops come back spread over so many ms each, within bounds: few of them at once, since their streams are
 * served elsewhere already; thousands not all together.
 */
const RETURN_MS_EACH = 1;
const RETURN_MS_MIN = 100;
const RETURN_MS_MAX = 2_000;

/** What all transports share: finding streams, placing readers, the list of sessions. */
export class Delivery {
  private readonly sessions = new Set<Session>();

  constructor(readonly options: DeliveryOptions) {}

  /**
   * Pins the entry of a stream that one of the principals may read.
   * @throws StreamError STREAM_NO_NOT_ISSUED [NO-2], STREAM_NOT_FOUND, STREAM_GONE, FORBIDDEN, NOT_OWNER, NOT_READY
   */
  async open(streamNo: string, principals: readonly Principal[]): Promise<StreamEntry> {
    const { source, streamNos } = this.options;
    streamNos.verify(streamNo);
    const entry = await source.open(streamNo);
    try {
      // A channel token opens its streams too, and only the stream itself says in which channel it is.
      this.authorize(principals, { scope: 'read', streamNo, channel: entry.state.open.channel });
      return entry;
    } catch (error) {
      source.release(entry);
      throw error;
    }
  }

  /** One of them may. @throws StreamError the last refusal; UNAUTHENTICATED when there are none */
  authorize(principals: readonly Principal[], wanted: Wanted): Principal {
    let refusal = new StreamError('UNAUTHENTICATED');
    for (const principal of principals) {
      try {
        this.options.auth.authorize(principal, wanted);
        return principal;
      } catch (error) {
        if (!(error instanceof StreamError)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /**
   * [WATCH-2, LINK-2] A cursor another instance gave may be ahead of the fold here; what is ahead of the log's end too is not ours.
   * @throws StreamError CURSOR_INVALID, CURSOR_UNKNOWN, CURSOR_EXPIRED
   */
  async place(entry: StreamEntry, cursor: string | null): Promise<Place> {
    const place = await this.placeAfterFold(entry, cursor);
    const { generation, sequence } = place;
    const isInMemory = sequence + 1 >= entry.view.first && sequence + 1 < entry.view.next;
    if (generation === 0 || sequence + 1 >= entry.state.next || isInMemory) return place;
    // [WATCH-5] The log is asked before the answer begins, so that it can have a status of its own.
    const { start } = await this.options.turns.bounds(entry.partition);
    if (positionFor(entry, generation, sequence).offset + 1 < start) throw expired(entry, generation, start);
    return place;
  }

  /**
   * [WATCH-6] Where a reader starts who may have a name, and what the name adds. Without a cursor it goes on after what it confirmed.
   * @throws StreamError as `place`; SESSION_TAKEN, OVERLOADED, LOG_UNAVAILABLE; LOG_LOST when what it confirmed is gone
   */
  async start(entry: StreamEntry, cursor: string | null, request: NamedRequest | null): Promise<Start> {
    if (request === null) return { place: await this.place(entry, cursor), named: null };
    const named = await this.options.sessions.attach(entry, request);
    try {
      return { place: await this.place(entry, cursor ?? named.confirmedCursor), named };
    } catch (error) {
      named.stop();
      const isLost = cursor === null && error instanceof StreamError && error.code === 'CURSOR_UNKNOWN';
      throw isLost ? new StreamError('LOG_LOST', { streamNo: entry.streamNo, confirmed: named.confirmedCursor }, { cause: error }) : error;
    }
  }

  /**
   * [WATCH-6] Everything up to the cursor is in the hands of the session. Any instance, connected or not.
   * @throws StreamError CURSOR_INVALID; CURSOR_UNKNOWN when it is ahead of the log; OVERLOADED, LOG_UNAVAILABLE; as `open`
   */
  async confirm(streamNo: string, principals: readonly Principal[], session: string, cursor: string): Promise<ConfirmedReply> {
    const parsed = parseCursor(cursor);
    const entry = await this.open(streamNo, principals);
    try {
      await this.placeAfterFold(entry, cursor);
      return await this.options.sessions.confirm(entry, session, parsed);
    } finally {
      this.options.source.release(entry);
    }
  }

  /** A reader by the kind of its stream. @param shape given when the bytes themselves are wanted */
  reader(entry: StreamEntry, place: Place, shape?: ReaderOptions['shape']): Reader {
    const { turns, metrics } = this.options;
    const { merge } = entry.state.open;
    const own = merge === 'latest' ? 'newest' : merge === 'json' ? 'items' : 'bytes';
    return new Reader({ entry, turns, shape: shape ?? own, onCold: () => metrics.wentCold() }, place);
  }

  subscription(reader: Reader, entry: StreamEntry, outlet: Outlet, intervalMs: number): Subscription {
    const { source, limits, catchUp } = this.options;
    return new Subscription({ source, entry, reader, outlet, catchUp, intervalMs, frameBytesMax: limits.frameBytesMax });
  }

  add(session: Session): void {
    this.sessions.add(session);
  }

  remove(session: Session): void {
    this.sessions.delete(session);
  }

  get sessionCount(): number {
    return this.sessions.size;
  }

  /** Every session is told to come back and closed. */
  drain(): void {
    const detail = 'This instance is about to stop.';
    const spreadMs = Math.min(RETURN_MS_MAX, Math.max(RETURN_MS_MIN, this.sessions.size * RETURN_MS_EACH));
    for (const session of [...this.sessions]) {
      session.drain(new StreamError('NOT_READY', { detail, retryAfterMs: Math.round(Math.random() * spreadMs) }));
    }
    this.options.keepAlives.stop();
  }

  private async placeAfterFold(entry: StreamEntry, cursor: string | null): Promise<Place> {
    try {
      return placeOf(entry, cursor);
    } catch (error) {
      if (!(error instanceof StreamError) || error.code !== 'CURSOR_UNKNOWN') throw error;
      await this.options.source.caughtUp(entry.partition);
      // Its replica ended meanwhile, so it stands still, and what is ahead of it need not be ahead of the log.
      if (entry.isOrphaned) throw new StreamError('NOT_OWNER', { streamNo: entry.streamNo });
      return placeOf(entry, cursor);
    }
  }
}
