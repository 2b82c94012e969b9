import { StreamError } from '@rivulet/protocol';
import type { FinalEvent, ReaderEvent, RewindEvent, VerdictReply } from '@rivulet/protocol';
import { Backoff, isTransient, pause, resend, retryAfterOf } from './backoff';
import { request } from './http';
import type { Endpoint } from './http';
import { joinBytes } from './pacer';
import { ReaderCheck, payloadOf } from './reader-check';
import { sseEvents } from './sse-source';
import type { SourceEvent } from './sse-source';
import type { KeptStream, StreamCache } from './stream-cache';
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
  /** Fragments the service may send ahead of what was consumed (WS). Default 256. */
  window?: number;
  /** Delivers at once what it has, goes on after that, and keeps what comes. Not with `from`, which is a cache of your own. */
  cache?: StreamCache;
}

const encoder = new TextEncoder();
const CANCEL_MS_MAX = 60_000;

/** What one reader sees of one stream: every fragment in order, once, through any number of reconnects [WATCH-1]. */
export class Watching implements AsyncIterable<ReaderEvent> {
  constructor(
    private readonly endpoint: Endpoint & { token: string },
    private readonly streamNo: string,
    private readonly options: WatchOptions,
  ) {}

  /**
   * When what came cannot be right, everything is read once more from the beginning, after a `rewind` that makes the first void.
   * @throws StreamError when the stream cannot be watched (any more), CHECKSUM_MISMATCH when it is wrong again; the signal's reason when it
   * fires. Leaving never cancels the stream.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReaderEvent, void, undefined> {
    const { signal, from, cache } = this.options;
    const kept = cache === undefined || from !== undefined ? null : await cache.open(this.streamNo);
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
          for await (const event of this.connect(cursor, isFirst ? kept : null, () => (isDone = true))) {
            firstEventAt ??= performance.now();
            await check.accept(event);
            if ('cursor' in event) cursor = event.cursor;
            kept?.add(event);
            yield event;
            if (event.type === 'final') return;
          }
        } catch (error) {
          if (signal?.aborted) throw error;
          if (isVoid(error, kept) && !isRefetched) {
            isRefetched = true;
            const rewind: RewindEvent = { type: 'rewind', streamNo: this.streamNo, epoch: check.epoch, cursor: `${check.epoch}.0` };
            check = new ReaderCheck();
            cursor = undefined;
            kept?.add(rewind);
            yield rewind;
          } else if (!isTransient(error)) throw error;
          else waitMs = retryAfterOf(error);
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

  /** One connection; before the first, what is kept. */
  private async *connect(from: string | undefined, kept: KeptStream | null, isDone: () => void): AsyncGenerator<ReaderEvent> {
    let cursor = from;
    for (const event of kept?.events ?? []) {
      yield event;
      if ('cursor' in event) cursor = event.cursor;
    }
    for await (const event of this.source(cursor, isDone)) {
      yield { ...event.body, type: event.type, streamNo: this.streamNo, ...(event.id === '' ? {} : { cursor: event.id }) } as ReaderEvent;
    }
  }

  private source(cursor: string | undefined, isDone: () => void): AsyncGenerator<SourceEvent> {
    const { endpoint, streamNo } = this;
    const { signal, intervalMs, readToken, transport, window = 256, silenceMsMax = 45_000 } = this.options;
    const token = readToken ?? endpoint.token;
    if (transport === 'ws') {
      const subscribe = { streamNo, from: cursor, intervalMs };
      return wsEvents({ url: endpoint.url, token, signal, window, silenceMsMax, subscribe }, isDone);
    }
    const query = intervalMs === undefined ? '' : `?intervalMs=${intervalMs}`;
    return sseEvents(endpoint, { path: `/v1/watch/${streamNo}/events${query}`, token, cursor, signal, silenceMsMax }, isDone);
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
