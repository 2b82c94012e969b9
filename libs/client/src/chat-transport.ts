import { StreamError } from '@rivulet/protocol';
import type { FinalEvent, ReaderEvent } from '@rivulet/protocol';
import type { ChatTransport, UIMessage, UIMessageChunk } from 'ai';
import { rivulet } from './rivulet';
import type { AnswerTicket } from './ui-message-stream';

export interface RivuletChatTransportOptions {
  /** Base URL of Rivulet as the browser reaches it. Default: the origin of the page. */
  url?: string;
  /** Your route that starts an answer and replies with its ticket; `<api>/<chatId>/stream` has the newest, or 204. Default /api/chat. */
  api?: string;
  /** For your routes, not for Rivulet. */
  headers?: Record<string, string> | (() => Record<string, string>);
  /** Beside id, messages, trigger and messageId in the body of the POST. */
  body?: object;
  credentials?: RequestInit['credentials'];
  /** An answer whose writer has been silent beyond its lease for this long is an error in the chat, ms. Default 30 s. */
  lostMsMax?: number;
  /** Instead of the global fetch, for your routes and for Rivulet. */
  fetch?: typeof fetch;
}
/** A server that was only restarted or paused is back by then. */
const LOST_MS_MAX = 30_000;

type SendOptions<M extends UIMessage> = Parameters<ChatTransport<M>['sendMessages']>[0];
type ReconnectOptions<M extends UIMessage> = Parameters<ChatTransport<M>['reconnectToStream']>[0];
type Asking = Promise<AnswerTicket | null>;
type Chunks = ReadableStream<UIMessageChunk>;

/**
 * Brings `useChat` of the AI SDK its answers through Rivulet. Stop cancels the stream, which ends the producer and with it the model's
 * call, wherever it runs; a reload, a second tab or a dead network only stop watching [WATCH-8]. Reconnecting replays the newest answer
 * from its beginning, whether it is running or over.
 */
export class RivuletChatTransport<M extends UIMessage = UIMessage> implements ChatTransport<M> {
  readonly resumeStreamIsReplay = true;
  /** How often each chat has reconnected. */
  private readonly reconnects = new Map<string, number>();

  constructor(private readonly options: RivuletChatTransportOptions = {}) {}

  async sendMessages({ chatId, messages, trigger, messageId, abortSignal, headers, body }: SendOptions<M>): Promise<Chunks> {
    abortSignal?.throwIfAborted();
    const json = { ...this.options.body, ...body, id: chatId, messages, trigger, messageId };
    const chunks = await this.follow(this.ask('', headers, json), abortSignal);
    if (chunks === null) throw new Error(`${this.api} has started no answer.`);
    return chunks;
  }

  async reconnectToStream({ chatId, abortSignal, headers }: ReconnectOptions<M>): Promise<Chunks | null> {
    const reconnect = (this.reconnects.get(chatId) ?? 0) + 1;
    this.reconnects.set(chatId, reconnect);
    abortSignal?.throwIfAborted();
    // A chat that reconnects again first aborts its earlier try, by the same signal as a stop: that must not end the answer.
    const isStop = (): boolean => this.reconnects.get(chatId) === reconnect;
    return this.follow(this.ask(`/${encodeURIComponent(chatId)}/stream`, headers), abortSignal, isStop);
  }

  private get api(): string {
    return this.options.api ?? '/api/chat';
  }

  /** The signal does not reach this call: what it starts can only be stopped by the streamNo it answers with. */
  private async ask(path: string, ofCall: Record<string, string> | Headers | undefined, json?: object): Promise<AnswerTicket | null> {
    const { headers = {}, credentials, fetch: given = globalThis.fetch } = this.options;
    const all = new Headers(typeof headers === 'function' ? headers() : headers);
    new Headers(ofCall).forEach((value, name) => all.set(name, value));
    if (json) all.set('content-type', 'application/json');
    // Called as a function: browsers refuse fetch with another `this`.
    const response = await given(this.api + path, { method: json ? 'POST' : 'GET', headers: all, credentials, body: json && JSON.stringify(json) });
    if (response.status === 204) return null;
    if (!response.ok) throw new Error((await response.text()) || `${this.api}${path} answered ${response.status}.`);
    const ticket = (await response.json()) as Partial<AnswerTicket>;
    if (typeof ticket.streamNo === 'string' && typeof ticket.token === 'string') return ticket as AnswerTicket;
    throw new Error(`${this.api}${path} did not answer with a ticket of pipeUIMessageStream or findUIMessageStream.`);
  }

  private async follow(asking: Asking, signal: AbortSignal | undefined, isStop = (): boolean => true): Promise<Chunks | null> {
    // In a microtask: a newer reconnect is counted by then. What was still asked for is stopped as soon as it has a streamNo.
    signal?.addEventListener('abort', () => queueMicrotask(() => { if (isStop()) void this.stop(asking); }), { once: true });
    const ticket = await unlessAborted(asking, signal);
    if (ticket === null) return null;
    const watching = new AbortController();
    signal?.addEventListener('abort', () => watching.abort(signal.reason), { once: true });
    const events = this.client(ticket).watch(ticket.streamNo, { signal: watching.signal });
    return chunksOf(events, (reason) => watching.abort(reason), this.options.lostMsMax ?? LOST_MS_MAX);
  }

  private async stop(asking: Asking): Promise<void> {
    try {
      const ticket = await asking;
      if (ticket) await this.client(ticket).cancel(ticket.streamNo, 'stopped by the reader');
    } catch (error) {
      // It was over already, or never began. Anything else the chat cannot show any more, its request is closed: the console can.
      if (!(error instanceof StreamError && error.code === 'STREAM_FINAL')) console.warn('The answer could not be stopped.', error);
    }
  }

  private client({ token }: AnswerTicket): ReturnType<typeof rivulet> {
    const { url = '', fetch: given } = this.options;
    return rivulet({ url, token, fetch: given });
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/** The chunks as the server wrote them. @param leave stops watching, which is all that cancelling them does */
function chunksOf(watching: AsyncIterable<ReaderEvent>, leave: (reason?: unknown) => void, lostMsMax: number): Chunks {
  const events = watching[Symbol.asyncIterator]();
  let hasBegun = false;
  let giveUp: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      for (;;) {
        const { done, value: event } = await events.next();
        clearTimeout(giveUp);
        if (done || (event.type === 'final' && (event.status === 'ended' || event.status === 'cancelled'))) return controller.close();
        if (event.type === 'final') throw failed(event);
        if (event.type === 'lost') giveUp = setTimeout(() => leave(new Error('The server that wrote this answer is gone.')), lostMsMax);
        // What was shown cannot be taken back here; a reconnect replays the new attempt from its beginning.
        if (event.type === 'rewind' && hasBegun) throw new Error('The answer was started over. Resume the chat to see the new one.');
        if (event.type !== 'fragment' || !event.items?.length) continue;
        hasBegun = true;
        for (const chunk of event.items) controller.enqueue(chunk as UIMessageChunk);
        return;
      }
    },
    cancel: () => {
      clearTimeout(giveUp);
      leave();
    },
  }, { highWaterMark: 0 });
}

const failed = ({ status, reason }: FinalEvent): StreamError =>
  new StreamError('STREAM_FINAL', { detail: `The answer is ${status} (${reason}).`, status });
