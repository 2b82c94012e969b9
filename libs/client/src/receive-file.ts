import { StreamError } from '@rivulet/protocol';
import type { FinalFacts, StreamSummary } from '@rivulet/protocol';
import { Backoff, isTransient, pause, retryAfterOf } from './backoff';
import { blobTarget, streamTarget } from './files';
import type { FileTarget } from './files';
import { files } from './files-node';
import { errorOf, reasonOf, send } from './http';
import type { Endpoint, Token } from './http';
import type { FileProgress } from './send-file';

export interface ReceiveFileOptions {
  /** Stops receiving; what is in NAME.part stays, to be gone on with. */
  signal?: AbortSignal;
  /** Instead of the token of the client. */
  readToken?: string;
  onProgress?(progress: FileProgress): void;
  /** Reconnect when no byte came for this long, ms. Default 45 s. */
  silenceMsMax?: number;
  /** Trouble in which not a byte comes for this long fails the call, ms. Default 5 minutes. */
  giveUpMs?: number;
}
export interface ReceivedFile {
  bytes: number;
  /** CRC-32 of the content. */
  checksum: number;
  /** SHA-256 as its producer sealed it, lower-case hex; '' when it did not. */
  digest: string;
  contentType: string;
  /** Of the open: `fileName`, `sizeBytes`, `contentType`, when sendFile sent it. */
  metadata: Record<string, unknown>;
}

const GOOD_MS = 1_000;

/** What receiving a file needs of the client. */
export interface FileReceiver { endpoint: Endpoint & { token: Token }; state(streamNo: string): Promise<StreamSummary> }

/** @see Rivulet.receiveFile */
export async function receiveFile(
  client: FileReceiver, streamNo: string, to: string | WritableStream<Uint8Array> | undefined, options: ReceiveFileOptions,
): Promise<ReceivedFile & { blob?: Blob }> {
  const memory = to === undefined ? blobTarget() : null;
  const target = memory ?? (typeof to === 'string' ? await files.openTarget(to) : streamTarget(to!));
  try {
    const received = await new Receiving(client, streamNo, target, options).run();
    await target.finish();
    return memory === null ? received : { ...received, blob: memory.blob(received.contentType) };
  } catch (error) {
    await target.leave(error);
    throw error;
  }
}

/** Range after Range until the stream has ended and all of it is there; then it is checked. */
class Receiving {
  private readonly backoff = new Backoff();
  private readonly silenceMsMax: number;
  private readonly giveUpMs: number;
  /** Of the attempt whose content is being written. */
  private epoch: number | null = null;
  private totalBytes: number | null = null;
  private heardAt = performance.now();
  private isSecondTime = false;

  constructor(
    private readonly client: FileReceiver,
    private readonly streamNo: string,
    private readonly target: FileTarget,
    private readonly options: ReceiveFileOptions,
  ) {
    this.silenceMsMax = options.silenceMsMax ?? 45_000;
    this.giveUpMs = options.giveUpMs ?? 300_000;
  }

  async run(): Promise<ReceivedFile> {
    const { options: { signal }, target, streamNo } = this;
    for (;;) {
      signal?.throwIfAborted();
      try {
        const { attempts, epoch, final, contentType, metadata } = await this.client.state(streamNo);
        await this.begin(epoch, attempts);
        this.totalBytes = final?.bytes ?? (typeof metadata['sizeBytes'] === 'number' ? metadata['sizeBytes'] : null);
        if (final !== null && final.status !== 'ended') throw endedOtherwise(streamNo, final);
        if (final !== null && target.seen.bytes >= final.bytes && await this.isRight(final)) {
          this.tell();
          return { bytes: final.bytes, checksum: final.checksum, digest: final.digest, contentType, metadata };
        }
        await this.connect();
        // The body came to its end, so the stream has ended: only this instance may not have seen it yet.
        if (final === null) await pause(this.backoff.next(), signal);
      } catch (error) {
        await this.wait(error);
      }
    }
  }

  /** An attempt that started over makes what came void. */
  private async begin(epoch: number, attempts: StreamSummary['attempts']): Promise<void> {
    const known = this.epoch ?? epoch;
    if (attempts.some((attempt) => attempt.epoch > known && attempt.keep === 'none')) await this.target.restart();
    this.epoch = epoch;
  }

  /** What differs is fetched once more from the start. @throws StreamError CHECKSUM_MISMATCH the second time */
  private async isRight(final: FinalFacts): Promise<boolean> {
    const { seen } = this.target;
    const digest = final.digest === '' ? null : await seen.sha256();
    if (seen.bytes === final.bytes && seen.checksum === final.checksum && (digest === null || digest === final.digest)) return true;
    await this.startOver('What came is not what was sealed.');
    return false;
  }

  private async startOver(detail: string): Promise<void> {
    if (this.isSecondTime) throw new StreamError('CHECKSUM_MISMATCH', { streamNo: this.streamNo, detail });
    this.isSecondTime = true;
    await this.target.restart();
  }

  private async connect(): Promise<void> {
    const { client: { endpoint }, options, streamNo, target: { seen }, silenceMsMax } = this;
    const connection = new AbortController();
    const stop = (): void => connection.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', stop, { once: true });
    const silent = new StreamError('NOT_READY', { detail: `Nothing came for ${silenceMsMax} ms.` });
    let timer = setTimeout(() => connection.abort(silent), silenceMsMax);
    try {
      const headers: Record<string, string> = seen.bytes === 0 ? {} : { range: `bytes=${seen.bytes}-` };
      const path = `/v1/watch/${streamNo}/content?live`;
      const response = await send(endpoint, { method: 'GET', path, token: endpoint.token, headers, signal: connection.signal });
      if (response.status === 416) return await this.startOver('There is more than the stream has.');
      if (!response.ok || response.body === null) throw await errorOf(response);
      if (seen.bytes > 0 && response.status !== 206) return await this.startOver('The service sends no ranges.');
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read().catch((cause: unknown) => {
          if (connection.signal.aborted) throw connection.signal.reason;
          throw new StreamError('NOT_READY', { detail: `The connection broke off (${reasonOf(cause)}).` }, { cause });
        });
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => connection.abort(silent), silenceMsMax);
        await this.take(value);
      }
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', stop);
      connection.abort();
    }
  }

  private async take(bytes: Uint8Array): Promise<void> {
    await this.target.write(bytes);
    this.heardAt = performance.now();
    this.tell();
  }

  private tell(): void {
    this.options.onProgress?.({ bytes: this.target.seen.bytes, totalBytes: this.totalBytes });
  }

  private async wait(error: unknown): Promise<void> {
    const { signal } = this.options;
    if (signal?.aborted || !isTransient(error)) throw error;
    const quietMs = performance.now() - this.heardAt;
    // A connection that gave bytes a moment ago was a good one.
    if (quietMs < GOOD_MS) this.backoff.disconnected(Infinity);
    const waitMs = this.backoff.next(retryAfterOf(error));
    if (quietMs + waitMs > this.giveUpMs) throw error;
    await pause(waitMs, signal);
  }
}

function endedOtherwise(streamNo: string, { status, reason, message }: FinalFacts): StreamError {
  const detail = `The stream is ${status}${reason === '' ? '' : ` (${reason})`}. ${message}`.trim();
  return new StreamError('STREAM_FINAL', { detail, streamNo, status });
}
