import { StreamError, parseCursor } from '@rivulet/protocol';
import type { StreamEvent, WatchReply, WatchRequest } from '@rivulet/protocol';
import { problemToError, tokenOf } from './http';
import type { Token } from './http';
import { platform } from './platform-node';
import type { SourceEvent } from './sse-source';

export interface WsRequest {
  /** Base URL, http or https. */
  url: string;
  token: Token;
  subscribe: { streamNo?: string; channel?: string; from?: string; intervalMs?: number; session?: string; connection?: string };
  signal?: AbortSignal;
  /** Fragments the service may send beyond what was acknowledged: what bounds the queue here [WATCH-4]. */
  window: number;
  /** Neither a frame nor a ping for this long: the connection is dead. */
  silenceMsMax: number;
}

const ID = '1';
const FINAL: ReadonlySet<string> = new Set(['ended', 'failed', 'cancelled', 'expired', 'deleted']);

/** Frames of one socket in order; rejects when it closes. */
class Inbox {
  private readonly frames: WatchReply[] = [];
  private closed: { error: unknown } | null = null;
  private wake: (() => void) | null = null;

  add(frame: WatchReply): void {
    this.frames.push(frame);
    this.wake?.();
  }
  close(error: unknown): void {
    this.closed ??= { error };
    this.wake?.();
  }
  get isEmpty(): boolean {
    return this.frames.length === 0;
  }
  async take(): Promise<WatchReply> {
    for (;;) {
      const frame = this.frames.shift();
      if (frame) return frame;
      if (this.closed) throw this.closed.error;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

/**
 * One subscription on a socket of its own: events until the caller stops, or nothing follows any more (`isDone` is called).
 * @throws StreamError as the service said, NOT_READY when the socket closed
 */
export async function* wsEvents(source: WsRequest, isDone: () => void = () => undefined): AsyncGenerator<SourceEvent> {
  if (source.signal?.aborted) throw source.signal.reason;
  const token = await tokenOf(source.token);
  if (source.signal?.aborted) throw source.signal.reason;
  const socket = platform.openSocket(`${source.url.replace(/^http/, 'ws')}/v1/watch/ws`, source.silenceMsMax);
  const send = (frame: WatchRequest): void => socket.send(JSON.stringify(frame));
  const inbox = new Inbox();
  const stop = (): void => inbox.close(source.signal?.reason);
  source.signal?.addEventListener('abort', stop, { once: true });
  socket.onopen = () => send({ type: 'auth', token });
  socket.onmessage = (event) => inbox.add(JSON.parse(String(event.data)) as WatchReply);
  socket.onclose = ({ code, reason }) => inbox.close(closeError(code, reason));
  socket.onerror = () => inbox.close(new StreamError('NOT_READY', { detail: `No WebSocket from ${source.url}.` }));
  /** Fragments consumed since the last ack. */
  let taken = 0;
  let isSubscribed = false;
  try {
    for (;;) {
      const frame = await inbox.take();
      if (frame.type === 'ready') {
        // Each accepted `auth` is answered so, one at the start too.
        if (!isSubscribed) send({ type: 'subscribe', id: ID, window: source.window, ...source.subscribe });
        isSubscribed = true;
      } else if (frame.type === 'problem') throw problemToError(frame.problem as Record<string, unknown>, 500);
      else if ('id' in frame && frame.type !== 'confirmed') {
        yield { type: frame.type, id: 'cursor' in frame ? frame.cursor : '', body: frame as unknown as Record<string, unknown> };
        if (frame.type === 'stream' && isFinished(source, frame)) return isDone();
        // With a name an ack says more: that is for whoever watches to decide [WATCH-6].
        if (source.subscribe.session !== undefined) continue;
        // The consumer came back for more: this one is done with [WATCH-4].
        if (frame.type === 'fragment') taken += frame.to - frame.from + 1;
        if (frame.type === 'fragment' && (inbox.isEmpty || taken >= source.window / 4)) {
          send({ type: 'ack', id: ID, cursor: frame.cursor });
          taken = 0;
        }
      }
    }
  } finally {
    source.signal?.removeEventListener('abort', stop);
    socket.onmessage = null;
    socket.close();
  }
}

/** The caller had the final event already: the service says the status and nothing more [WATCH-9]. */
function isFinished({ subscribe }: WsRequest, { status, epoch, confirmed }: StreamEvent): boolean {
  const from = subscribe.from ?? confirmed ?? undefined;
  if (from === undefined || !FINAL.has(status)) return false;
  const cursor = parseCursor(from);
  return cursor.isFinal && cursor.epoch === epoch;
}

/**
 * @param code close code: 4000 + HTTP status when the service closed for a reason of ours, 1012 when it restarts
 * @param reason `retryAfterMs=…`: when to come back, different for each session so that they do not come back together
 */
function closeError(code: number, reason: string): StreamError {
  const retryAfterMs = Number(/^retryAfterMs=(\d{1,9})$/.exec(reason)?.[1] ?? 0);
  if (code >= 4400 && code < 4600) return problemToError(null, code - 4000, retryAfterMs);
  return new StreamError('NOT_READY', { detail: `The socket closed (${code}).`, ...(retryAfterMs > 0 ? { retryAfterMs } : {}) });
}
