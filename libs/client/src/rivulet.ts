import { HEADERS } from '@rivulet/protocol';
import type {
  AdminStreamPage, IssuedToken, OpenOptions, OpenedStream, RetriedStream, RetryBody, StreamClass, StreamSummary, TokenBody, VerdictReply,
} from '@rivulet/protocol';
import { resend } from './backoff';
import { watchChannel } from './channel';
import type { ChannelEvent, ChannelOptions } from './channel';
import { request } from './http';
import type { Call, Endpoint, Token } from './http';
import { Producer } from './producer';
import type { ProducerOptions } from './producer';
import type { RunningDigest } from './platform';
import type { ReceivedFile, ReceiveFileOptions } from './receive-file';
import { openingOf, sendAll } from './send';
import type { SendOptions, Sent, Source } from './send';
import type { SendFileOptions } from './send-file';
import { uuidV7 } from './uuid-v7';
import { Watching } from './watching';
import type { WatchOptions } from './watching';

export interface RivuletOptions {
  /** Base URL of the installation, such as http://127.0.0.1:7100. */
  url: string;
  /**
   * API key, or a token for one stream or channel; or a function that gives one. It is called before each call and connection, so it keeps
   * its own as long as that is good; a watch whose token has expired asks it and goes on.
   */
  token: Token;
  /** Instead of the global fetch. */
  fetch?: typeof fetch;
  /** Bound of one call, resends included, ms. Default 5 minutes. */
  giveUpMs?: number;
}
export interface RetryOptions extends ProducerOptions {
  /** all (default): go on after what is accepted; none: start over, readers get `rewind`. */
  keep?: 'all' | 'none';
  reason?: string;
  /** Asking again with the same one is harmless. Default: a new one. */
  attemptId?: string;
}
/** Which streams to list; `cursor` is the `next` of the page before. */
export interface StreamFilter { channel?: string; status?: string; class?: StreamClass; limit?: number; cursor?: string }

export class Rivulet {
  private readonly endpoint: Endpoint & { token: Token };
  private readonly giveUpMs: number;

  constructor(options: RivuletOptions) {
    const { fetch: given } = options;
    // Called as a method of nothing: browsers refuse fetch with another `this`.
    this.endpoint = { url: options.url.replace(/\/+$/, ''), token: options.token, fetch: given ?? ((input, init) => fetch(input, init)) };
    this.giveUpMs = options.giveUpMs ?? 300_000;
  }

  /** Opens a stream. Safe to repeat with the same key: it answers with the same stream [APPEND-11]. */
  open(options: OpenOptions = {}, producer: ProducerOptions & { idempotencyKey?: string } = {}): Promise<Producer> {
    return this.startOpen(options, producer);
  }

  /** A new attempt on a stream whose producer was lost: fences the old one and goes on after what the log has [APPEND-8] [APPEND-12]. */
  async retry(streamNo: string, options: RetryOptions = {}): Promise<Producer> {
    return this.startRetry(streamNo, options);
  }

  /**
   * Opens a stream, writes all of the source into it, and ends it. Text unless the source says otherwise: a Blob by its type, bytes as
   * bytes; JSON values with `contentType: 'application/json'`.
   * @returns when the log has the verdict. @throws StreamError, what the source throws, or the reason of the signal; see `sendAll`
   */
  async send(source: Source, options: SendOptions = {}): Promise<Sent> {
    options.signal?.throwIfAborted();
    return sendAll(await this.startOpen(openingOf(source, options), options, options.signal), source, options);
  }

  /**
   * What a reader sees of a stream: iterate its events, or take `text()` or `bytes()` once it has ended. Leaving it, by `break` or the
   * signal, never cancels the stream; `cancel()` does [WATCH-8].
   */
  watch(streamNo: string, options: WatchOptions = {}): Watching {
    return new Watching(this.endpoint, streamNo, options);
  }

  /** Every stream of a channel, present and future; ends only by its signal. */
  watchChannel(channel: string, options: ChannelOptions = {}): AsyncGenerator<ChannelEvent, void, undefined> {
    return watchChannel(this.endpoint, channel, options);
  }

  /**
   * Sends a file as a stream of class `bulk`: `metadata` has fileName, sizeBytes and contentType; the end is sealed by SHA-256 (in browsers
   * up to 16 MiB, else CRC-32). Memory stays flat whatever its size.
   * @param file a path (Node), or a Blob or File. With `resume`, the streamNo of an earlier call, it goes on after what is accepted, from
   * any process; what was accepted is compared with the file first.
   * @throws StreamError CHECKSUM_MISMATCH when `resume` names the stream of another file; STREAM_FINAL when the stream was cancelled; the
   * errors of the file system; the signal's reason. Then the stream stays as it is, to be resumed or cancelled.
   */
  async sendFile(file: string | Blob, options: SendFileOptions = {}): Promise<Sent> {
    options.signal?.throwIfAborted();
    const { sendFile } = await import('./send-file.js');
    return sendFile({
      open: (open, producer) => this.startOpen(open, producer, options.signal),
      retry: (streamNo, { digest, ...retry }) => this.startRetry(streamNo, retry, digest, options.signal),
      state: (streamNo) => this.state(streamNo),
    }, file, options);
  }

  /**
   * Receives the content of a stream as a file, while it grows or afterwards, and checks it: length, CRC-32, and SHA-256 when it was sealed
   * (in browsers up to 16 MiB). Connections that break are gone on with by Range; what was wrong is fetched once more.
   * @param target a path (Node): NAME.part grows, across processes too, and becomes NAME when all is right. Or a WritableStream, which is
   * closed then. Without one the answer has the content as `blob`.
   * @throws StreamError STREAM_FINAL when the stream ended otherwise, CHECKSUM_MISMATCH; the errors of the target; the signal's reason
   */
  receiveFile(streamNo: string, target: string | WritableStream<Uint8Array>, options?: ReceiveFileOptions): Promise<ReceivedFile>;
  receiveFile(streamNo: string, target?: undefined, options?: ReceiveFileOptions): Promise<ReceivedFile & { blob: Blob }>;
  async receiveFile(
    streamNo: string, target?: string | WritableStream<Uint8Array>, options: ReceiveFileOptions = {},
  ): Promise<ReceivedFile & { blob?: Blob }> {
    const { receiveFile } = await import('./receive-file.js');
    const token = options.readToken ?? this.endpoint.token;
    const state = (no: string): Promise<StreamSummary> => this.call({ method: 'GET', path: `/v1/watch/${no}`, signal: options.signal }, token);
    return receiveFile({ endpoint: { ...this.endpoint, token }, state }, streamNo, target, options);
  }

  /**
   * Ends a stream for everybody; its producer stops. @returns the log's verdict. @throws StreamError FORBIDDEN, STREAM_FINAL [WATCH-8]
   * @param token instead of the client's; it needs the scope cancel
   */
  cancel(streamNo: string, reason = '', token?: string): Promise<VerdictReply> {
    return this.call<VerdictReply>({ method: 'POST', path: `/v1/streams/${streamNo}/cancel`, body: JSON.stringify({ reason }) }, token);
  }

  /** What the stream is now: status, sequence, bytes, attempts, and `final` once it has ended. @throws StreamError STREAM_NOT_FOUND, … */
  state(streamNo: string): Promise<StreamSummary> {
    return this.call<StreamSummary>({ method: 'GET', path: `/v1/watch/${streamNo}` });
  }

  /** Streams, newest first, a page at a time. With a channel the scope read of it is enough, else it takes a viewer's or operator's key. */
  streams(filter: StreamFilter = {}): Promise<AdminStreamPage> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, String(value));
    return this.call<AdminStreamPage>({ method: 'GET', path: `/v1/admin/streams?${query}` });
  }

  /** Signs a token for a browser: one stream or channel, and no more than it needs. Takes an API key. */
  issueToken(body: TokenBody): Promise<IssuedToken> {
    return this.call<IssuedToken>({ method: 'POST', path: '/v1/tokens', body: JSON.stringify(body) });
  }

  private async startOpen(
    options: OpenOptions, producer: ProducerOptions & { idempotencyKey?: string }, signal?: AbortSignal,
  ): Promise<Producer> {
    const headers = { [HEADERS.idempotencyKey]: producer.idempotencyKey ?? uuidV7() };
    const opened = await this.call<OpenedStream>({ method: 'POST', path: '/v1/streams', headers, body: JSON.stringify(options), signal });
    return new Producer(this.endpoint, { ...opened, next: 1, checksum: 0 }, { giveUpMs: this.giveUpMs, ...producer });
  }

  private async startRetry(streamNo: string, options: RetryOptions, digest?: RunningDigest, signal?: AbortSignal): Promise<Producer> {
    const { keep = 'all', reason = '', attemptId = uuidV7(), ...producer } = options;
    const body: RetryBody = { attemptId, keep, reason };
    const retried = await this.call<RetriedStream>({ method: 'POST', path: `/v1/streams/${streamNo}/retries`, body: JSON.stringify(body), signal });
    return new Producer(this.endpoint, { ...retried, digest }, { giveUpMs: this.giveUpMs, ...producer });
  }

  private call<T>(call: Omit<Call, 'token'>, token = this.endpoint.token): Promise<T> {
    return resend(() => request<T>(this.endpoint, { ...call, token }), { giveUpMs: this.giveUpMs, signal: call.signal });
  }
}

export const rivulet = (options: RivuletOptions): Rivulet => new Rivulet(options);
