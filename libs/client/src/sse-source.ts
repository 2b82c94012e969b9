import { StreamError } from '@rivulet/protocol';
import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';
import { errorOf, problemToError, reasonOf, send } from './http';
import type { Endpoint, Token } from './http';

/** One SSE event, its data parsed. */
export interface SourceEvent {
  type: string;
  /** SSE id, or '' when the event has none. */
  id: string;
  body: Record<string, unknown>;
}
export interface SseRequest {
  path: string;
  token: Token;
  cursor?: string;
  signal?: AbortSignal;
  /** No byte for this long: the connection is dead. The service sends a comment every 15 s. */
  silenceMsMax: number;
}

/**
 * One connection: events until it ends. Ends quietly when the service closed it (reconnect with the last cursor) or answered 204 (nothing
 * follows: `isDone` is called).
 * @throws StreamError as answered, or as an `unavailable` or `problem` event said
 */
export async function* sseEvents(endpoint: Endpoint, source: SseRequest, isDone: () => void): AsyncGenerator<SourceEvent> {
  const connection = new AbortController();
  const stop = (): void => connection.abort(source.signal?.reason);
  if (source.signal?.aborted) throw source.signal.reason;
  source.signal?.addEventListener('abort', stop, { once: true });
  try {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (source.cursor !== undefined) headers['last-event-id'] = source.cursor;
    const call = { method: 'GET', path: source.path, token: source.token, headers, signal: connection.signal } as const;
    const connecting = armSilence(connection, source);
    const response = await send(endpoint, call).finally(() => clearTimeout(connecting));
    if (response.status === 204) return isDone();
    if (!response.ok || response.body === null) throw await errorOf(response);
    yield* parse(response.body, connection, source);
  } finally {
    source.signal?.removeEventListener('abort', stop);
    connection.abort();
  }
}

function armSilence(connection: AbortController, { silenceMsMax }: SseRequest): ReturnType<typeof setTimeout> {
  const silent = new StreamError('NOT_READY', { detail: `Nothing came for ${silenceMsMax} ms.` });
  return setTimeout(() => connection.abort(silent), silenceMsMax);
}

async function* parse(body: ReadableStream<Uint8Array>, connection: AbortController, source: SseRequest): AsyncGenerator<SourceEvent> {
  const messages: EventSourceMessage[] = [];
  let retryAfterMs = 0;
  const parser = createParser({ onEvent: (message) => messages.push(message), onRetry: (ms) => (retryAfterMs = ms) });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const timer = armSilence(connection, source);
    const { done, value } = await reader.read().catch((cause: unknown) => {
      if (connection.signal.aborted) throw connection.signal.reason;
      throw new StreamError('NOT_READY', { detail: `The connection broke off (${reasonOf(cause)}).` }, { cause });
    }).finally(() => clearTimeout(timer));
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
    for (const message of messages.splice(0)) yield eventOf(message, retryAfterMs);
  }
}

function eventOf(message: EventSourceMessage, retryAfterMs: number): SourceEvent {
  const type = message.event ?? 'message';
  const body = message.data === '' ? {} : (JSON.parse(message.data) as Record<string, unknown>);
  // Trouble that will pass comes as an event, because EventSource never retries a non-200 [WATCH-10].
  // One that names a stream is that stream's own: the other streams of a channel go on.
  const isTrouble = type === 'unavailable' || (type === 'problem' && body['streamNo'] === undefined);
  if (isTrouble) throw problemToError(body, type === 'unavailable' ? 503 : 500, retryAfterMs);
  return { type, id: message.id ?? '', body };
}
