import { StreamError } from '@rivulet/protocol';
import type { FinalEvent, ReaderEvent } from '@rivulet/protocol';
import { Backoff, isTransient, pause, retryAfterOf } from './backoff';
import type { Endpoint } from './http';
import { joinBytes } from './pacer';
import { ReaderCheck, payloadOf } from './reader-check';
import { sseEvents } from './sse-source';
import type { SourceEvent } from './sse-source';
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
}

const encoder = new TextEncoder();

/** What one reader sees of one stream: every fragment in order, once, through any number of reconnects [WATCH-1]. */
export class Watching implements AsyncIterable<ReaderEvent> {
  constructor(
    private readonly endpoint: Endpoint & { token: string },
    private readonly streamNo: string,
    private readonly options: WatchOptions,
  ) {}

  /** @throws StreamError when the stream cannot be watched (any more) or what came cannot be right; the signal's reason when it fires */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReaderEvent, void, undefined> {
    const { signal } = this.options;
    const check = new ReaderCheck(this.options.from);
    const backoff = new Backoff();
    let cursor = this.options.from;
    for (let isDone = false; !isDone; ) {
      let waitMs = 0;
      let firstEventAt: number | null = null;
      try {
        for await (const event of this.connect(cursor, () => (isDone = true))) {
          firstEventAt ??= performance.now();
          await check.accept(event);
          if ('cursor' in event) cursor = event.cursor;
          yield event;
          if (event.type === 'final') return;
        }
      } catch (error) {
        if (signal?.aborted || !isTransient(error)) throw error;
        waitMs = retryAfterOf(error);
      }
      if (firstEventAt !== null) backoff.disconnected(performance.now() - firstEventAt);
      if (!isDone) await pause(backoff.next(waitMs), signal);
    }
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

  private async *connect(cursor: string | undefined, isDone: () => void): AsyncGenerator<ReaderEvent> {
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

function endedOtherwise(event: FinalEvent): StreamError {
  const { streamNo, status, reason, message } = event;
  return new StreamError('STREAM_FINAL', { detail: `The stream is ${status}${reason === '' ? '' : ` (${reason})`}. ${message}`.trim(), streamNo });
}
