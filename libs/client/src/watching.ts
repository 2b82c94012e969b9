import { StreamError } from '@rivulet/protocol';
import type { FinalEvent, ReaderEvent, RewindEvent, VerdictReply } from '@rivulet/protocol';
import { Backoff, isTransient, pause, resend, retryAfterOf } from './backoff';
import { Confirmer } from './confirmer';
import { problemToError, Renewal, request } from './http';
import type { Endpoint, Token } from './http';
import { joinBytes } from './pacer';
import { ReaderCheck, payloadOf } from './reader-check';
import { sseEvents } from './sse-source';
import type { SourceEvent } from './sse-source';
import type { KeptStream, StreamCache } from './stream-cache';
import { uuidV7 } from './uuid-v7';
import { wsEvents } from './ws-source';

export interface WatchOptions {
  /** Cursor to go on after; without it, from the beginning. */
  from?: string;
  signal?: AbortSignal;
  /** Default sse. */
  transport?: 'sse' | 'ws';
  /** Instead of the token of the client. */
  readToken?: string;
  /** Own pace: events merge what came within this many ms [WATCH-3]. */
  intervalMs?: number;
  /** Reconnect when not even a comment (SSE) or ping (WS, Node) came for this long, ms. Default 45 s: three missed ones. */
  silenceMsMax?: number;
  /** Fragments the service may send ahead of what was consumed (WS), or of what was confirmed (with a session). Default 256. */
  window?: number;
  /**
   * A name that outlives connections and processes [WATCH-6]: without `from` it goes on after what it confirmed. The newest connection of
   * a name wins; the older one fails with SESSION_TAKEN.
   */
  session?: string;
  /** auto (default): an event is confirmed when the consumer asks for the next one. manual: by `ack`. With a session only. */
  ack?: 'auto' | 'manual';
  /**
   * Delivers at once what it has, goes on after that, and keeps what comes. Not with `from`, which is a cache of your own, nor with
   * `session`, which has a place already.
   */
  cache?: StreamCache;
}

const WINDOW = 256;
const encoder = new TextEncoder();
const CANCEL_MS_MAX = 60_000;

/** What one reader sees of one stream: every fragment in order, once, through any number of reconnects [WATCH-1]. */
export class Watching implements AsyncIterable<ReaderEvent> {
  private readonly confirmer: Confirmer | null;
  /** With a session: who reads, and how often it has connected. */
  private readonly reader = uuidV7();
  private connections = 0;
  private readonly renewal: Renewal;
  private isLatest = false;

  constructor(
    private readonly endpoint: Endpoint & { token: Token },
    private readonly streamNo: string,
    private readonly options: WatchOptions,
  ) {
    const { session, readToken, window = WINDOW } = options;
    const reader = { ...endpoint, token: readToken ?? endpoint.token };
    this.renewal = new Renewal(reader.token);
    this.confirmer = session === undefined ? null : new Confirmer({ endpoint: reader, streamNo, session, burst: window / 4 });
  }

  /**
   * Confirms everything up to an event, or a cursor. Resolves when that is durable [WATCH-7].
   * @throws StreamError as the service said; OPTIONS_INVALID without a session
   */
  async ack(upTo: ReaderEvent | string): Promise<void> {
    const cursor = typeof upTo === 'string' ? upTo : 'cursor' in upTo ? upTo.cursor : null;
    if (this.confirmer === null) throw new StreamError('OPTIONS_INVALID', { detail: 'Only a watch with a session can confirm.' });
    if (cursor !== null) await this.confirmer.confirm(cursor);
  }

  /**
   * When what came cannot be right, everything is read once more from the beginning, after a `rewind` that makes the first void.
   * @throws StreamError when the stream cannot be watched (any more), CHECKSUM_MISMATCH when it is wrong again; the signal's reason when it
   * fires. Leaving never cancels the stream.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReaderEvent, void, undefined> {
    try {
      yield* this.events();
      // The final event too is confirmed before the loop is over.
      await this.confirmer?.settle();
    } finally {
      await this.confirmer?.leave();
    }
  }

  private async *events(): AsyncGenerator<ReaderEvent, void, undefined> {
    const { signal, from, cache } = this.options;
    const kept = cache === undefined || from !== undefined || this.confirmer !== null ? null : await cache.open(this.streamNo);
    let check = new ReaderCheck(from);
    const backoff = new Backoff();
    let cursor = from;
    let isRefetched = false;
    try {
      for (let isDone = false; !isDone; ) {
        let waitMs = 0;
        let firstEventAt: number | null = null;
        try {
          const isFirst = cursor === undefined && !isRefetched;
          for await (const came of this.connect(cursor, isFirst ? kept : null, () => (isDone = true))) {
            firstEventAt ??= performance.now();
            this.renewal.worked();
            const event = this.unseen(came, check);
            if (event === null) continue;
            if (event.type === 'stream' && cursor === undefined && event.confirmed) check = new ReaderCheck(cursor = event.confirmed);
            await check.accept(event);
            if ('cursor' in event) cursor = event.cursor;
            kept?.add(event);
            yield event;
            this.consumed(event);
            if (event.type === 'final') return;
          }
        } catch (error) {
          if (signal?.aborted) throw error;
          if (isVoid(error, kept) && !isRefetched) {
            isRefetched = true;
            const rewind: RewindEvent = { type: 'rewind', streamNo: this.streamNo, epoch: check.epoch, cursor: `${check.epoch}.0` };
            check = new ReaderCheck();
            // With a session, no cursor would be where it has confirmed.
            cursor = this.confirmer === null ? undefined : rewind.cursor;
            kept?.add(rewind);
            yield rewind;
          } else if (isTransient(error)) waitMs = retryAfterOf(error);
          else if (!this.renewal.helps(error)) throw error;
        }
        if (firstEventAt !== null) backoff.disconnected(performance.now() - firstEventAt);
        if (!isDone) await pause(backoff.next(waitMs), signal);
      }
    } finally {
      kept?.close();
    }
  }

  /** Cancels the stream for everybody; its producer stops. @throws StreamError FORBIDDEN without the scope `cancel` [WATCH-8] */
  cancel(reason = ''): Promise<VerdictReply> {
    const { endpoint, streamNo } = this;
    const call = { method: 'POST', path: `/v1/streams/${streamNo}/cancel`, token: endpoint.token, body: JSON.stringify({ reason }) } as const;
    return resend(() => request<VerdictReply>(endpoint, call), { giveUpMs: CANCEL_MS_MAX });
  }

  /**
   * The whole content as bytes, once the stream has ended; JSON fragments one a line.
   * @throws StreamError STREAM_FINAL when it ended otherwise
   */
  async bytes(): Promise<Uint8Array> {
    let parts: Uint8Array[] = [];
    for await (const event of this) {
      if (event.type === 'rewind') parts = [];
      if (event.type === 'fragment') {
        parts.push(payloadOf(event) ?? encoder.encode((event.items ?? []).map((value) => `${JSON.stringify(value)}\n`).join('')));
      }
      if (event.type === 'final' && event.status !== 'ended') throw endedOtherwise(event);
    }
    return joinBytes(parts);
  }

  /** The whole content as text, once the stream has ended. */
  async text(): Promise<string> {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(await this.bytes());
  }

  /** What was not confirmed in time comes again, and was asked for before: nothing of it is missing here [WATCH-6]. */
  private unseen(event: ReaderEvent, check: ReaderCheck): ReaderEvent | null {
    if (this.confirmer === null) return event;
    if ((event.type as string) === 'probe') return null;
    if (event.type === 'stream') this.isLatest = event.merge === 'latest';
    if (event.type !== 'fragment' || event.from > check.at) return event;
    if (event.to <= check.at) return null;
    // The newest value of its lane, over what the reader has and more. Other content ends where it ended before.
    return this.isLatest ? { ...event, from: check.at + 1 } : event;
  }

  private consumed(event: ReaderEvent): void {
    if (this.options.ack === 'manual' || !('cursor' in event)) return;
    this.confirmer?.consume(event.cursor, event.type === 'fragment' ? event.to - event.from + 1 : 1);
  }

  /** One connection; before the first, what is kept. */
  private async *connect(from: string | undefined, kept: KeptStream | null, isDone: () => void): AsyncGenerator<ReaderEvent> {
    let cursor = from;
    for (const event of kept?.events ?? []) {
      yield event;
      if ('cursor' in event) cursor = event.cursor;
    }
    for await (const event of this.source(cursor, isDone)) {
      // Whatever it names: on the feed of one stream it is the end of the feed.
      if (event.type === 'problem') throw problemToError(event.body, 500);
      yield { ...event.body, type: event.type, streamNo: this.streamNo, ...(event.id === '' ? {} : { cursor: event.id }) } as ReaderEvent;
    }
  }

  private source(cursor: string | undefined, isDone: () => void): AsyncGenerator<SourceEvent> {
    const { endpoint, streamNo } = this;
    const { signal, intervalMs, session, readToken, transport, window = WINDOW, silenceMsMax = 45_000 } = this.options;
    const token = readToken ?? endpoint.token;
    this.connections += 1;
    const connection = `${this.reader}.${this.connections}`;
    if (transport === 'ws') {
      const subscribe = { streamNo, from: cursor, intervalMs, ...(session === undefined ? {} : { session, connection }) };
      return wsEvents({ url: endpoint.url, token, signal, window, silenceMsMax, subscribe }, isDone);
    }
    const query = new URLSearchParams({
      ...(intervalMs === undefined ? {} : { intervalMs: String(intervalMs) }),
      ...(session === undefined ? {} : { session, connection, window: String(window) }),
    });
    return sseEvents(endpoint, { path: `/v1/watch/${streamNo}/events?${query}`, token, cursor, signal, silenceMsMax }, isDone);
  }
}

/** What was delivered cannot be gone on with: it is wrong, or the cache is of another installation. */
function isVoid(error: unknown, kept: KeptStream | null): boolean {
  return error instanceof StreamError && (error.code === 'CHECKSUM_MISMATCH' || (kept !== null && error.code === 'CURSOR_UNKNOWN'));
}

function endedOtherwise(event: FinalEvent): StreamError {
  const { streamNo, status, reason, message } = event;
  return new StreamError('STREAM_FINAL', { detail: `The stream is ${status}${reason === '' ? '' : ` (${reason})`}. ${message}`.trim(), streamNo });
}
